// Accesses that can be compared with others by what they are addressed by, and how instructions
// move those registers.
#pragma once

#include <cstdint>
#include <optional>

#include "hv_kernel/soft/decoder.h"

namespace hv::soft {

// Of base + index * scale + offset, in 64-bit code and without a segment's base.
struct NearAccess {
  enum class Part : uint8_t { kNone, kOperand, kStack };  // the operand's, or that of PUSH to RET

  Part part;
  uint8_t base;
  uint8_t index = kNoRegister;
  uint8_t scale = 0;
  int64_t offset;
  uint32_t bytes;
  bool writes;
};

// The one access of an instruction that has one; of PUSH, POP, CALL and RET that of the stack.
std::optional<NearAccess> NearAccessOf(const Decoded& decoded);

// By how much the instruction moves `reg`, which it writes, if that is all it does to it.
std::optional<int64_t> StepOf(const Decoded& decoded, uint8_t reg);

}  // namespace hv::soft
