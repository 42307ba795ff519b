// What a loop does to the general registers, as far as its addresses depend on them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "hv_kernel/soft/translate/run.h"

namespace hv::soft {

// A set of guest registers, by enum hv_gpr.
using RegisterSet = uint16_t;
constexpr RegisterSet RegisterBit(uint8_t guest) {
  return guest <= HV_R15 ? static_cast<RegisterSet>(1u << guest) : RegisterSet{0};
}

class LoopRegisters {
 public:
  // Of one turn. What it found before is forgotten.
  void Study(std::span<const RunInstruction> turn);

  // Read or written, to address memory too.
  RegisterSet used() const { return used_; }
  RegisterSet written() const { return written_; }
  // Of what an instruction finds, what is likely to differ by more than a little from one turn to
  // the next: all but what no instruction writes, what moves by steps, what is computed from these
  // alone, and what is loaded from an address that stays. A guess.
  RegisterSet erratic_before(size_t instruction) const { return erratic_before_[instruction]; }

 private:
  void Note(const Decoded& decoded);
  bool ComputesErratically(const Decoded& decoded, RegisterSet erratic) const;
  RegisterSet After(const Decoded& decoded, RegisterSet erratic) const;

  RegisterSet used_ = 0;
  RegisterSet written_ = 0;
  std::array<RegisterSet, kLongestRun> erratic_before_;
};

}  // namespace hv::soft
