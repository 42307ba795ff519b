#include "hv_kernel/soft/translate/flag_liveness.h"

#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/system/instructions.h"

namespace hv::soft {
namespace {

// Shifts and rotates by CL, and repeated strings, may leave the flags alone.
bool WritesFlagsForSure(const Decoded& decoded) {
  switch (decoded.zydis.mnemonic) {
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR:
    case ZYDIS_MNEMONIC_ROL:
    case ZYDIS_MNEMONIC_ROR:
    case ZYDIS_MNEMONIC_RCL:
    case ZYDIS_MNEMONIC_RCR:
    case ZYDIS_MNEMONIC_SHLD:
    case ZYDIS_MNEMONIC_SHRD:
    case ZYDIS_MNEMONIC_CMPSB:
    case ZYDIS_MNEMONIC_CMPSW:
    case ZYDIS_MNEMONIC_CMPSD:
    case ZYDIS_MNEMONIC_CMPSQ:
    case ZYDIS_MNEMONIC_SCASB:
    case ZYDIS_MNEMONIC_SCASW:
    case ZYDIS_MNEMONIC_SCASD:
    case ZYDIS_MNEMONIC_SCASQ: return false;
    default: return true;
  }
}

}  // namespace

std::vector<bool> FlagsLiveBefore(std::span<const Decoded> instructions) {
  std::vector<bool> before(instructions.size());
  uint64_t live = kArithmeticFlags;
  for (size_t i = instructions.size(); i-- > 0;) {
    const Decoded& decoded = instructions[i];
    if (const ZydisAccessedFlags* flags = decoded.zydis.cpu_flags; flags != nullptr) {
      const uint64_t written = flags->modified | flags->set_0 | flags->set_1 | flags->undefined;
      if (WritesFlagsForSure(decoded)) live &= ~written;
      live |= flags->tested & kArithmeticFlags;
    }
    // Handlers see the whole of RFLAGS.
    if (FindHandler(decoded.compact).handler != nullptr) live = kArithmeticFlags;
    before[i] = live != 0;
  }
  return before;
}

}  // namespace hv::soft
