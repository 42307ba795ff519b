// The same work in one process and in one for each CPU: how far CPUs add up.
#pragma once

#include <cstdint>

namespace hv::bench {

// SHA-256 over 64 KiB `times` times in a process of its own; the digest's end, 0 if it failed.
uint64_t Alone(uint32_t times);
// As Alone(), in as many processes at once as there are CPUs; all have to come to the same.
uint64_t Together(uint32_t times);

}  // namespace hv::bench
