#include "hv_kernel/reset_state.h"

#include <cstring>

namespace hv {
namespace {

constexpr uint32_t kRealModeLimit = 0xffff;
constexpr uint32_t kCodeAttributes = 0x9b;  // present, S, execute/read, accessed
constexpr uint32_t kDataAttributes = 0x93;  // present, S, read/write, accessed
constexpr uint32_t kLdtAttributes = 0x82;
constexpr uint32_t kBusyTss32Attributes = 0x8b;
constexpr uint64_t kResetRflags = 0x2;
constexpr uint64_t kCr0Et = 1u << 4;
constexpr uint64_t kCr0Nw = 1u << 29;
constexpr uint64_t kCr0Cd = 1u << 30;
constexpr uint64_t kDr6Reset = 0xffff0ff0;
constexpr uint64_t kDr7Reset = 0x400;
constexpr uint64_t kPatReset = 0x0007040600070406;
constexpr uint16_t kX87ControlReset = 0x0040;
constexpr uint16_t kX87TagReset = 0x00ff;  // abridged tag word: all registers valid (+0.0)
constexpr uint32_t kMxcsrReset = 0x1f80;
constexpr size_t kX87ControlOffset = 0;
constexpr size_t kX87TagOffset = 4;
constexpr size_t kMxcsrOffset = 24;
constexpr size_t kXsaveHeaderOffset = 512;
constexpr uint64_t kXstateX87AndSse = 3;

hv_segment_state RealModeSegment(uint16_t selector, uint64_t base, uint32_t attributes) {
  hv_segment_state segment{};
  segment.base = base;
  segment.limit = kRealModeLimit;
  segment.selector = selector;
  segment.attributes = attributes;
  return segment;
}

// The integer, segment and control registers, common to RESET and INIT.
void ResetIntegerState(hv_vcpu_state& state) {
  std::memset(state.gpr, 0, sizeof(state.gpr));
  // Family, model and stepping as CPUID leaf 1 gives them would stand in EDX; no software reads it.
  state.rip = 0xfff0;
  state.rflags = kResetRflags;
  for (auto& segment : state.segment) segment = RealModeSegment(0, 0, kDataAttributes);
  state.segment[HV_CS] = RealModeSegment(0xf000, 0xffff0000, kCodeAttributes);
  state.ldtr = RealModeSegment(0, 0, kLdtAttributes);
  state.tr = RealModeSegment(0, 0, kBusyTss32Attributes);
  state.gdtr = {.base = 0, .limit = kRealModeLimit, .reserved = {}};
  state.idtr = state.gdtr;
  state.cr2 = state.cr3 = state.cr4 = state.cr8 = 0;
  std::memset(state.dr, 0, sizeof(state.dr));
  state.dr[6] = kDr6Reset;
  state.dr[7] = kDr7Reset;
  state.efer = 0;
  state.interrupt_shadow = 0;
  state.nmi_blocked = 0;
  state.activity = HV_ACTIVITY_RUNNING;
}

}  // namespace

hv_vcpu_state ResetState() {
  hv_vcpu_state state{};
  ResetIntegerState(state);
  state.cr0 = kCr0Et | kCr0Nw | kCr0Cd;
  state.xcr0 = 1;
  state.pat = kPatReset;
  std::memcpy(state.xsave + kX87ControlOffset, &kX87ControlReset, sizeof(kX87ControlReset));
  std::memcpy(state.xsave + kX87TagOffset, &kX87TagReset, sizeof(kX87TagReset));
  std::memcpy(state.xsave + kMxcsrOffset, &kMxcsrReset, sizeof(kMxcsrReset));
  std::memcpy(state.xsave + kXsaveHeaderOffset, &kXstateX87AndSse, sizeof(kXstateX87AndSse));
  return state;
}

void ApplyInit(hv_vcpu_state& state, bool boot_cpu) {
  const uint64_t cache_control = state.cr0 & (kCr0Nw | kCr0Cd);
  ResetIntegerState(state);
  state.cr0 = kCr0Et | cache_control;
  if (!boot_cpu) state.activity = HV_ACTIVITY_WAIT_FOR_SIPI;
}

void ApplySipi(hv_vcpu_state& state, uint8_t vector) {
  state.segment[HV_CS] =
      RealModeSegment(static_cast<uint16_t>(vector << 8), uint64_t{vector} << 12, kCodeAttributes);
  state.rip = 0;
  state.activity = HV_ACTIVITY_RUNNING;
}

}  // namespace hv
