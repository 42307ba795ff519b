// Work for the guest's kernel: exceptions, system calls, address spaces.
#pragma once

#include <cstdint>

namespace hv::bench {

// Each does its work `times` times and returns how often, or 0 if the kernel refused.
uint64_t CallKernel(uint32_t times);       // 10,000 system calls that do next to nothing
uint64_t TouchPages(uint32_t times);       // maps 4 MiB, writes to each page, unmaps it
uint64_t PassToken(uint32_t times);        // 1,000 turns of two processes with two pipes
uint64_t ForkAndExec(uint32_t times);      // 10 children that start `self` again and end
uint64_t CopyThroughPipe(uint32_t times);  // 4 MiB through a pipe within one process

// The program that ForkAndExec starts, with `kNothing` as its argument.
inline constexpr char kNothing[] = "nothing";
void SetSelf(const char* path);

}  // namespace hv::bench
