#include "hv_kernel/soft/translate/mode.h"

#include "hv_kernel/soft/memory/linear_access.h"

namespace hv::soft {
namespace {

constexpr uint32_t kBig = 1u << 14;

bool IsFlat(const Cpu& cpu) {
  for (int segment : {HV_ES, HV_CS, HV_SS, HV_DS}) {
    const hv_segment_state& state = cpu.segment[segment];
    const bool usable = (state.attributes & HV_SEGMENT_UNUSABLE) == 0;
    if (state.base != 0 || state.limit != 0xffffffffu || !usable) return false;
  }
  return (cpu.segment[HV_SS].attributes & kBig) != 0;
}

}  // namespace

Mode Mode::Of(const Cpu& cpu) {
  uint32_t bits = static_cast<uint32_t>(CurrentTlbIndex(cpu)) << 2;
  if (In64BitMode(cpu)) {
    bits |= static_cast<uint32_t>(CodeMode::k64) | kFlat;
  } else {
    const bool big = (cpu.segment[HV_CS].attributes & kBig) != 0;
    bits |= static_cast<uint32_t>(big ? CodeMode::k32 : CodeMode::k16);
    if (IsFlat(cpu)) bits |= kFlat;
    if ((cpu.segment[HV_SS].attributes & kBig) == 0) bits |= kNarrowStack;
  }
  if ((cpu.cr0 & kCr0Pe) == 0 || (cpu.rflags & kFlagVm) != 0) bits |= kReal;
  if ((cpu.cr0 & (kCr0Em | kCr0Ts)) != 0) bits |= kFpuOff;
  if ((cpu.cr0 & kCr0Em) != 0 || (cpu.cr4 & kCr4Osfxsr) == 0) bits |= kSseOff;
  // Ring 1 or 2. Ring 0 has no bit, so that it and ring 3 differ by the TLB alone.
  const uint32_t level = PrivilegeLevel(cpu);
  if (level == 1 || level == 2) bits |= kInnerRing;
  if ((cpu.cr4 & kCr4Smap) != 0) bits |= kSmap;
  if (TscForbidden(cpu)) bits |= kTscForbidden;
  if ((cpu.cr4 & kCr4Osxsave) == 0 || (cpu.xcr0 & 6) != 6) bits |= kAvxOff;
  return Mode(bits);
}

}  // namespace hv::soft
