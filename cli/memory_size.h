// Sizes as people write and read them.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace hv::cli {

// "512" and "512M" are MiB; K, M, G, T are powers of 1024; case does not matter. InvalidArgument:
// says what is possible.
absl::StatusOr<uint64_t> ParseMemorySize(const std::string& text);

// "512 MiB", "1.5 GiB", "12 KiB", "100 B".
std::string ShowBytes(uint64_t bytes);

}  // namespace hv::cli
