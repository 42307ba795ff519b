// Writes instruction sequences whose every register and memory operand is chosen at random, yet
// whose memory operands lie in the arena and whose branches land inside the sequence.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "hv_kernel/soft/differential/form.h"

namespace hv::soft::differential {

class Sequence {
 public:
  // What the instance appended last has that its form does not say.
  struct Traits {
    bool locked = false;
    bool overrides_segment = false;
    bool narrow_address = false;  // 32 bits, in 64-bit code
    bool crosses_page = false;    // an operand does
  };

  // The code will lie at `address` and be of the width that all its forms have.
  Sequence(uint64_t address, CodeWidth mode, std::mt19937_64& random)
      : address_(address), mode_(mode), random_(random) {}

  // Reads and writes every writable page, so that what follows hits the TLB. Only at the start.
  void WarmUp();
  // Appends one instance of the form, and before it the moves that set up its addresses; those
  // touch no flag. False when no valid instance was found; nothing is appended then.
  bool Append(const Form& form);
  // Ends the sequence.
  void Finish();

  const Traits& traits() const { return traits_; }
  const std::vector<uint8_t>& bytes() const { return bytes_; }

 private:
  struct RegisterValue {
    uint8_t reg;
    uint64_t value;
  };

  bool Roll(unsigned one_in) { return random_() % one_in == 0; }
  Variation Vary(const Form& form);
  uint64_t ChooseTarget(uint32_t bytes, bool aligned);
  void SetRegister(uint8_t reg, uint64_t value);
  bool Address(const ZydisDecodedOperand& operand, uint64_t target);
  bool AddressesByStackPointerAndMovesIt() const;
  bool SetUpMemory();
  bool SetUpVectorIndex(const ZydisDecodedOperand& operand);
  void SetUpCounts();
  bool SetUpBitOffset();
  void EmitMove(const RegisterValue& move);
  void EmitStore(uint64_t target, uint32_t value);
  void EmitInstruction();
  void ClearUndefinedFlags();
  void Place(size_t offset, uint64_t value, size_t bytes);

  const uint64_t address_;
  const CodeWidth mode_;
  std::mt19937_64& random_;
  std::vector<uint8_t> bytes_;

  // The instance in hand.
  Encoded current_;
  Traits traits_;
  std::vector<RegisterValue> moves_;
  std::vector<uint8_t> vector_index_load_;
  uint64_t rip_relative_target_ = 0;
  bool keeps_all_flags_ = false;  // those the manual calls undefined included
  uint64_t branch_slot_ = 0;  // where an indirect branch finds its target; 0: it is in a register
};

}  // namespace hv::soft::differential
