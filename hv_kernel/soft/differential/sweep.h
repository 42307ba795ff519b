// Random loops that go through memory as compilers' loops do: pointers that move by steps, over the
// ends of pages too, pointers that stay and such as are loaded anew in each turn, few registers.
// Some end in a fault, are left in the middle, or rewrite themselves.
#pragma once

#include <asmjit/x86.h>

#include <cstdint>
#include <random>

namespace hv::soft::differential {

// The data it works on: [first, first + bytes), with nothing mapped below `first`.
struct SweepPlace {
  uint64_t first;
  uint64_t bytes;
};
// Overwrites RAX, RCX, RDX, R8 to R11 and some of RBX, RBP, RSI, RDI and R15.
void EmitSweep(asmjit::x86::Assembler& a, std::mt19937_64& random, const SweepPlace& place);

}  // namespace hv::soft::differential
