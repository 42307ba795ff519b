// Instructions that take #UD or #NM instead of running: encodings hv's CPUs do not offer
// (vcpu_svc's CPUID policy says the same), and x87, SSE and AVX while the guest has them switched
// off (Intel SDM vol. 3, 2.5 and 13.1).
#include <Zydis/Zydis.h>

#include "hv_kernel/soft/translate/families.h"

namespace hv::soft {
namespace {

enum class State { kNone, kX87, kSse, kAvx };

// Which extended state an instruction works on.
State StateOf(const Decoded& decoded) {
  bool vector = false;
  bool x87 = false;
  for (int i = 0; i < decoded.zydis.operand_count; ++i) {
    const ZydisDecodedOperand& operand = decoded.operands[i];
    if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER) continue;
    switch (FactsOf(operand.reg.value).kind) {
      case ZYDIS_REGCLASS_XMM:
      case ZYDIS_REGCLASS_YMM: vector = true; break;
      case ZYDIS_REGCLASS_X87:
      case ZYDIS_REGCLASS_MMX: x87 = true; break;
      default: break;
    }
  }
  if (decoded.zydis.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX) {
    const bool clears_all = decoded.zydis.mnemonic == ZYDIS_MNEMONIC_VZEROUPPER ||
                            decoded.zydis.mnemonic == ZYDIS_MNEMONIC_VZEROALL ||
                            decoded.zydis.mnemonic == ZYDIS_MNEMONIC_VLDMXCSR ||
                            decoded.zydis.mnemonic == ZYDIS_MNEMONIC_VSTMXCSR;
    return vector || clears_all ? State::kAvx : State::kNone;
  }
  if (vector) return State::kSse;
  if (x87) return State::kX87;
  switch (decoded.zydis.mnemonic) {
    case ZYDIS_MNEMONIC_LDMXCSR:
    case ZYDIS_MNEMONIC_STMXCSR: return State::kSse;
    default:
      return decoded.zydis.meta.isa_ext == ZYDIS_ISA_EXT_X87 ||
                     decoded.zydis.mnemonic == ZYDIS_MNEMONIC_FWAIT
                 ? State::kX87
                 : State::kNone;
  }
}

// What CPUID can show (vcpu_svc's policy says when it does). An instruction of these that the host
// has not raises SIGILL; all others are never re-encoded.
bool IsOffered(const Decoded& decoded) {
  switch (decoded.zydis.meta.isa_ext) {
    case ZYDIS_ISA_EXT_ADOX_ADCX:
    case ZYDIS_ISA_EXT_AES:
    case ZYDIS_ISA_EXT_AMD3DNOW_PREFETCH:
    case ZYDIS_ISA_EXT_AVX:
    case ZYDIS_ISA_EXT_AVX2:
    case ZYDIS_ISA_EXT_AVX2GATHER:
    case ZYDIS_ISA_EXT_AVXAES:
    case ZYDIS_ISA_EXT_AVX_VNNI:
    case ZYDIS_ISA_EXT_BASE:
    case ZYDIS_ISA_EXT_BMI1:
    case ZYDIS_ISA_EXT_BMI2:
    case ZYDIS_ISA_EXT_F16C:
    case ZYDIS_ISA_EXT_FMA:
    case ZYDIS_ISA_EXT_GFNI:
    case ZYDIS_ISA_EXT_LONGMODE:
    case ZYDIS_ISA_EXT_LZCNT:
    case ZYDIS_ISA_EXT_MMX:
    case ZYDIS_ISA_EXT_MOVBE:
    case ZYDIS_ISA_EXT_PAUSE:
    case ZYDIS_ISA_EXT_PCLMULQDQ:
    case ZYDIS_ISA_EXT_PREFETCHWT1:
    case ZYDIS_ISA_EXT_RDRAND:
    case ZYDIS_ISA_EXT_RDSEED:
    case ZYDIS_ISA_EXT_SERIALIZE:
    case ZYDIS_ISA_EXT_SHA:
    case ZYDIS_ISA_EXT_SSE:
    case ZYDIS_ISA_EXT_SSE2:
    case ZYDIS_ISA_EXT_SSE3:
    case ZYDIS_ISA_EXT_SSE4:
    case ZYDIS_ISA_EXT_SSSE3:
    case ZYDIS_ISA_EXT_VAES:
    case ZYDIS_ISA_EXT_VPCLMULQDQ:
    case ZYDIS_ISA_EXT_X87: break;
    default: return false;
  }
  const ZydisInstructionEncoding encoding = decoded.zydis.encoding;
  return encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY ||
         encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;
}

Emitted Raise(Emission& e, Vector vector) {
  LeaveSite& site = e.NewSite(LeaveKind::kException);
  site.vector = static_cast<uint8_t>(vector);
  e.Leave(site);
  return Emitted::kEnds;
}

}  // namespace

Emitted EmitUnavailable(Emission& e) {
  const Mode mode = e.mode();
  // Handlers know by themselves what they offer.
  const bool handled = e.handler().handler != nullptr;
  if (!handled && !IsOffered(e.decoded())) return Raise(e, Vector::kInvalidOpcode);
  switch (StateOf(e.decoded())) {
    case State::kNone: return Emitted::kNot;
    case State::kX87: return mode.fpu_off() ? Raise(e, Vector::kDeviceNotAvailable) : Emitted::kNot;
    case State::kSse:
      if (mode.sse_off()) return Raise(e, Vector::kInvalidOpcode);
      break;
    case State::kAvx:
      if (mode.avx_off()) return Raise(e, Vector::kInvalidOpcode);
      break;
  }
  return mode.fpu_off() ? Raise(e, Vector::kDeviceNotAvailable) : Emitted::kNot;
}

}  // namespace hv::soft
