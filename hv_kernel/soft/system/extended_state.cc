// XSAVE, XSAVEOPT, XSAVEC, XRSTOR, FXSAVE, FXRSTOR between cpu.xsave and guest memory (Intel SDM
// vol. 1, chapter 13). The guest has x87, SSE and AVX; cpu.xsave holds them in standard format.
#include <Zydis/Mnemonic.h>

#include "hv_kernel/soft/memory/bulk_copy.h"
#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/system/instructions.h"
#include "hv_kernel/soft/system/operand_access.h"

namespace hv::soft {
namespace {

// Layout of the area (SDM vol. 1, 13.4).
constexpr uint32_t kLegacyBytes = 512;
constexpr uint32_t kHeaderAt = 512;
constexpr uint32_t kHeaderBytes = 64;
constexpr uint32_t kAvxAt = 576;
constexpr uint32_t kAvxBytes = 256;
constexpr uint32_t kMxcsrAt = 24;
constexpr uint32_t kXmmAt = 160;
constexpr uint32_t kXmmBytes = 256;
constexpr uint64_t kX87 = 1, kSse = 2, kAvx = 4;
constexpr uint64_t kCompacted = 1ull << 63;
constexpr uint32_t kMxcsrValid = 0xffff;
constexpr uint32_t kMxcsrReset = 0x1f80;

Outcome GeneralProtection(Cpu& cpu) { return RaiseWithCode(cpu, Vector::kGeneralProtection, 0); }

uint64_t& Xstate(Cpu& cpu) { return *reinterpret_cast<uint64_t*>(cpu.xsave + kHeaderAt); }

// Address and checks common to the family.
Outcome Area(Cpu& cpu, const Instruction& insn, uint32_t bytes, uint32_t alignment, bool write,
             uint64_t& linear) {
  if ((cpu.cr0 & (kCr0Ts | kCr0Em)) != 0) return Raise(cpu, Vector::kDeviceNotAvailable);
  HV_RETURN_UNLESS_DONE(LinearOf(cpu, insn, insn.operands[0], bytes, write, linear));
  return linear % alignment == 0 ? Outcome::kDone : GeneralProtection(cpu);
}

uint64_t RequestedFeatures(const Cpu& cpu) {
  const uint64_t mask = cpu.gpr[HV_RDX] << 32 | (cpu.gpr[HV_RAX] & 0xffffffffu);
  return mask & cpu.xcr0;
}

// The initial configuration of what XRSTOR is told is not in the area.
void InitializeFeatures(Cpu& cpu, uint64_t features) {
  if ((features & kX87) != 0) {
    FillBytes(cpu.xsave, 0, kMxcsrAt);
    FillBytes(cpu.xsave + 32, 0, kXmmAt - 32);
    cpu.xsave[0] = 0x7f;  // FCW = 037FH
    cpu.xsave[1] = 0x03;
  }
  if ((features & kSse) != 0) FillBytes(cpu.xsave + kXmmAt, 0, kXmmBytes);
  if ((features & kAvx) != 0) FillBytes(cpu.xsave + kAvxAt, 0, kAvxBytes);
  Xstate(cpu) &= ~features;
}

void LoadLegacy(Cpu& cpu, const uint8_t* area, uint64_t features) {
  if ((features & kX87) != 0) {
    CopyBytes(cpu.xsave, area, kMxcsrAt);
    CopyBytes(cpu.xsave + 32, area + 32, kXmmAt - 32);
  }
  if ((features & kSse) != 0) CopyBytes(cpu.xsave + kXmmAt, area + kXmmAt, kXmmBytes);
}

}  // namespace

Outcome Xsave(Cpu& cpu, const Instruction& insn) {
  if ((cpu.cr4 & kCr4Osxsave) == 0) return Raise(cpu, Vector::kInvalidOpcode);
  const bool compact =
      insn.mnemonic == ZYDIS_MNEMONIC_XSAVEC || insn.mnemonic == ZYDIS_MNEMONIC_XSAVEC64;
  const uint64_t features = RequestedFeatures(cpu);
  const bool avx = (features & kAvx) != 0;
  const uint32_t bytes = avx ? kAvxAt + kAvxBytes : kAvxAt;
  uint64_t linear;
  HV_RETURN_UNLESS_DONE(Area(cpu, insn, bytes, 64, true, linear));
  const TlbIndex index = CurrentTlbIndex(cpu);
  // What is not requested stays as it is in memory.
  uint8_t image[kAvxAt + kAvxBytes];
  HV_RETURN_UNLESS_DONE(ReadLinear(cpu, linear, image, bytes, index));
  const uint64_t in_use = Xstate(cpu);
  if ((features & kX87) != 0) {
    CopyBytes(image, cpu.xsave, kMxcsrAt);
    CopyBytes(image + 32, cpu.xsave + 32, kXmmAt - 32);
  }
  if ((features & kSse) != 0) CopyBytes(image + kXmmAt, cpu.xsave + kXmmAt, kXmmBytes);
  if ((features & (kSse | kAvx)) != 0) CopyBytes(image + kMxcsrAt, cpu.xsave + kMxcsrAt, 8);
  if (avx) CopyBytes(image + kAvxAt, cpu.xsave + kAvxAt, kAvxBytes);
  auto& xstate_bv = *reinterpret_cast<uint64_t*>(image + kHeaderAt);
  auto& xcomp_bv = *reinterpret_cast<uint64_t*>(image + kHeaderAt + 8);
  if (compact) {
    FillBytes(image + kHeaderAt, 0, kHeaderBytes);
    xstate_bv = features & in_use;
    xcomp_bv = kCompacted | features;
  } else {
    xstate_bv = (xstate_bv & ~features) | (features & in_use);
  }
  return WriteLinear(cpu, linear, image, bytes, index);
}

Outcome Xrstor(Cpu& cpu, const Instruction& insn) {
  if ((cpu.cr4 & kCr4Osxsave) == 0) return Raise(cpu, Vector::kInvalidOpcode);
  const uint64_t features = RequestedFeatures(cpu);
  uint64_t linear;
  HV_RETURN_UNLESS_DONE(Area(cpu, insn, kAvxAt, 64, false, linear));
  const TlbIndex index = CurrentTlbIndex(cpu);
  uint8_t image[kAvxAt + kAvxBytes];
  HV_RETURN_UNLESS_DONE(ReadLinear(cpu, linear, image, kAvxAt, index));
  const auto* header = reinterpret_cast<const uint64_t*>(image + kHeaderAt);
  const uint64_t in_area = header[0];
  const bool compact = (header[1] & kCompacted) != 0;
  // SDM vol. 1, 13.8.1 and 13.8.2.
  if (compact ? ((header[1] & ~kCompacted & ~cpu.xcr0) != 0 || (in_area & ~header[1]) != 0)
              : ((in_area & ~cpu.xcr0) != 0 || header[1] != 0)) {
    return GeneralProtection(cpu);
  }
  for (int i = 2; i < (compact ? 8 : 3); ++i) {
    if (header[i] != 0) return GeneralProtection(cpu);
  }
  const bool avx = (features & in_area & kAvx) != 0;
  if (avx) {
    HV_RETURN_UNLESS_DONE(ReadLinear(cpu, linear + kAvxAt, image + kAvxAt, kAvxBytes, index));
  }
  const bool loads_mxcsr = (features & (kSse | kAvx)) != 0;
  uint32_t mxcsr = *reinterpret_cast<const uint32_t*>(image + kMxcsrAt);
  if (compact && (in_area & (kSse | kAvx)) == 0) mxcsr = kMxcsrReset;
  if (loads_mxcsr && (mxcsr & ~kMxcsrValid) != 0) return GeneralProtection(cpu);
  InitializeFeatures(cpu, features & ~in_area);
  LoadLegacy(cpu, image, features & in_area);
  if (avx) CopyBytes(cpu.xsave + kAvxAt, image + kAvxAt, kAvxBytes);
  if (loads_mxcsr) *reinterpret_cast<uint32_t*>(cpu.xsave + kMxcsrAt) = mxcsr;
  Xstate(cpu) |= features & in_area;
  return Outcome::kDone;
}

Outcome Fxsave(Cpu& cpu, const Instruction& insn) {
  uint64_t linear;
  HV_RETURN_UNLESS_DONE(Area(cpu, insn, kLegacyBytes, 16, true, linear));
  // The last 96 bytes are not written.
  return WriteLinear(cpu, linear, cpu.xsave, kXmmAt + kXmmBytes, CurrentTlbIndex(cpu));
}

Outcome Fxrstor(Cpu& cpu, const Instruction& insn) {
  uint64_t linear;
  HV_RETURN_UNLESS_DONE(Area(cpu, insn, kLegacyBytes, 16, false, linear));
  uint8_t image[kLegacyBytes];
  HV_RETURN_UNLESS_DONE(ReadLinear(cpu, linear, image, kLegacyBytes, CurrentTlbIndex(cpu)));
  const uint32_t mxcsr = *reinterpret_cast<const uint32_t*>(image + kMxcsrAt);
  if ((mxcsr & ~kMxcsrValid) != 0) return GeneralProtection(cpu);
  LoadLegacy(cpu, image, kX87 | kSse);
  *reinterpret_cast<uint32_t*>(cpu.xsave + kMxcsrAt) = mxcsr;
  Xstate(cpu) |= kX87 | kSse;
  return Outcome::kDone;
}

}  // namespace hv::soft
