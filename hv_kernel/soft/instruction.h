// A decoded guest instruction in the compact form that handlers work from; kept beside the block it
// stands in. Plain data, so that code which may not touch vector registers can use it.
#pragma once

#include <cstdint>

#include "abi/vcpu_state.h"

namespace hv::soft {

enum class CodeMode : uint8_t { k16 = 0, k32 = 1, k64 = 2 };

inline constexpr uint8_t kNoRegister = 0xff;
inline constexpr uint8_t kRipRegister = 0xfe;  // base of RIP-relative operands

struct Operand {
  enum class Kind : uint8_t {
    kNone,
    kGpr,
    kMemory,
    kImmediate,
    kSegment,
    kControl,
    kDebug,
    kFar,
    kVector,
    kOther,
  };

  Kind kind = Kind::kNone;
  uint8_t bytes = 0;  // width of the operand
  // kGpr: enum hv_gpr; kSegment: enum hv_segment_register; kControl, kDebug, kVector: number
  uint8_t reg = 0;
  bool high_byte = false;   // kGpr: AH, CH, DH, BH as `reg` 0 to 3
  uint8_t segment = HV_DS;  // kMemory
  uint8_t base = kNoRegister;
  uint8_t index = kNoRegister;
  uint8_t scale = 0;
  // kMemory: the XMM or YMM register that holds the indices, instead of `index`, and its width.
  uint8_t index_vector = kNoRegister;
  uint8_t index_vector_bytes = 0;
  // kMemory: displacement (RIP-relative ones as they stand); kImmediate: sign- or zero-extended as
  // the instruction has it; kFar: the offset
  int64_t value = 0;
  uint16_t far_selector = 0;
};

struct Instruction {
  static constexpr int kMaxOperands = 3;

  uint16_t mnemonic = 0;  // ZydisMnemonic
  uint8_t length = 0;
  uint8_t operand_bytes = 0;  // effective operand size: 2, 4, 8
  uint8_t address_bytes = 0;  // effective address size: 2, 4, 8
  uint8_t opcode = 0;
  uint8_t operand_count = 0;
  CodeMode mode = CodeMode::k64;
  bool rep = false;    // F3 or F2 on string instructions; F3 for REPE
  bool repne = false;  // F2 on CMPS and SCAS
  bool lock = false;
  Operand operands[kMaxOperands];  // of string instructions and XLAT those that are implied
};

}  // namespace hv::soft
