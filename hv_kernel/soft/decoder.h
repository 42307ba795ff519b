// Decoding by Zydis, and the compact form of what it found.
#pragma once

#include <Zydis/Zydis.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "hv_kernel/soft/instruction.h"

namespace hv::soft {

inline constexpr size_t kMaxInstructionBytes = 15;

// Everything Zydis says of one instruction, as the translator needs it.
struct Decoded {
  ZydisDecodedInstruction zydis;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];  // the first zydis.operand_count
  Instruction compact;
  uint8_t bytes[kMaxInstructionBytes];  // the first compact.length count
};

enum class DecodeResult : uint8_t {
  kOk,
  kInvalid,    // no instruction of this CPU: #UD
  kTruncated,  // more bytes are needed than were given
};

// Stateless after construction; any thread.
class Decoder {
 public:
  Decoder();
  DecodeResult Decode(CodeMode mode, std::span<const uint8_t> bytes, Decoded& out) const;

 private:
  ZydisDecoder decoders_[3];  // by CodeMode
};

// What a register is; asked several times an instruction, and Zydis searches for it.
struct RegisterFacts {
  ZydisRegisterClass kind;
  uint8_t id;  // its number in its class
  // The number (enum hv_gpr) of a general register of any width; kNoRegister for others. For AH,
  // CH, DH and BH it is that of RAX to RBX.
  uint8_t gpr;
  bool high_byte;
};
using AllRegisterFacts = std::array<RegisterFacts, ZYDIS_REGISTER_MAX_VALUE + 1>;
extern const AllRegisterFacts kRegisterFacts;
inline const RegisterFacts& FactsOf(ZydisRegister reg) { return kRegisterFacts[reg]; }

inline uint8_t GprNumber(ZydisRegister reg) { return FactsOf(reg).gpr; }
inline bool IsHighByte(ZydisRegister reg) { return FactsOf(reg).high_byte; }

}  // namespace hv::soft
