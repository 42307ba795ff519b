#include "hv_kernel/soft/translate/flag_liveness.h"

#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/translate/families.h"

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

std::span<const bool> FlagLiveness::Before(std::span<const RunInstruction> run, Mode mode) {
  uint64_t live = kArithmeticFlags;
  for (size_t i = run.size(); i-- > 0;) {
    const Decoded& decoded = run[i].decoded;
    // Where a conditional jump leaves, anything may be read.
    if (decoded.zydis.meta.category == ZYDIS_CATEGORY_COND_BR) live = kArithmeticFlags;
    if (const ZydisAccessedFlags* flags = decoded.zydis.cpu_flags; flags != nullptr) {
      const uint64_t written = flags->modified | flags->set_0 | flags->set_1 | flags->undefined;
      if (WritesFlagsForSure(decoded)) live &= ~written;
      live |= flags->tested & kArithmeticFlags;
    }
    // Handlers see the whole of RFLAGS.
    const bool followed = i + 1 < run.size();
    const bool handled =
        run[i].handler.handler != nullptr && !RunsInline(decoded.compact, mode, followed);
    if (handled || decoded.zydis.mnemonic == ZYDIS_MNEMONIC_PUSHFQ) live = kArithmeticFlags;
    before_[i] = live != 0;
  }
  return std::span(before_).first(run.size());
}

}  // namespace hv::soft
