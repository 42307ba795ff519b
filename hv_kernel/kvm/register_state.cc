#include "hv_kernel/kvm/register_state.h"

#include <cstring>

namespace hv::kvm {
namespace {

constexpr uint64_t kApicBase = 0xfee00000, kApicEnabled = 1u << 11, kApicBootCpu = 1u << 8;
constexpr uint32_t kShadowSti = 1, kShadowMovSs = 2;  // hv_vcpu_state.interrupt_shadow
constexpr size_t kXstateAt = 512, kXstateHeaderBytes = 64;
constexpr uint64_t kX87AndSse = 3;

// Access rights by their fields (VMX layout, SDM vol. 3, 25.4.1).
kvm_segment ToSegment(const hv_segment_state& from) {
  const uint32_t rights = from.attributes;
  kvm_segment to{};
  to.base = from.base;
  to.limit = from.limit;
  to.selector = from.selector;
  to.type = rights & 0xf;
  to.s = rights >> 4 & 1;
  to.dpl = rights >> 5 & 3;
  to.present = rights >> 7 & 1;
  to.avl = rights >> 12 & 1;
  to.l = rights >> 13 & 1;
  to.db = rights >> 14 & 1;
  to.g = rights >> 15 & 1;
  to.unusable = (rights & HV_SEGMENT_UNUSABLE) != 0;
  return to;
}

hv_segment_state FromSegment(const kvm_segment& from) {
  hv_segment_state to{};
  to.base = from.base;
  to.limit = from.limit;
  to.selector = from.selector;
  to.attributes = from.type | uint32_t{from.s} << 4 | uint32_t{from.dpl} << 5 |
                  uint32_t{from.present} << 7 | uint32_t{from.avl} << 12 | uint32_t{from.l} << 13 |
                  uint32_t{from.db} << 14 | uint32_t{from.g} << 15;
  if (from.unusable != 0) to.attributes |= HV_SEGMENT_UNUSABLE;
  return to;
}

kvm_dtable ToTable(const hv_descriptor_table& from) {
  kvm_dtable to{};
  to.base = from.base;
  to.limit = from.limit;
  return to;
}

hv_descriptor_table FromTable(const kvm_dtable& from) {
  return {.base = from.base, .limit = from.limit, .reserved = {}};
}

struct SegmentField {
  hv_segment_register number;
  kvm_segment kvm_sregs::*field;
};
constexpr SegmentField kSegments[] = {{HV_ES, &kvm_sregs::es}, {HV_CS, &kvm_sregs::cs},
                                      {HV_SS, &kvm_sregs::ss}, {HV_DS, &kvm_sregs::ds},
                                      {HV_FS, &kvm_sregs::fs}, {HV_GS, &kvm_sregs::gs}};

struct GeneralField {
  hv_gpr number;
  __u64 kvm_regs::*field;
};
constexpr GeneralField kGeneral[] = {
    {HV_RAX, &kvm_regs::rax}, {HV_RCX, &kvm_regs::rcx}, {HV_RDX, &kvm_regs::rdx},
    {HV_RBX, &kvm_regs::rbx}, {HV_RSP, &kvm_regs::rsp}, {HV_RBP, &kvm_regs::rbp},
    {HV_RSI, &kvm_regs::rsi}, {HV_RDI, &kvm_regs::rdi}, {HV_R8, &kvm_regs::r8},
    {HV_R9, &kvm_regs::r9},   {HV_R10, &kvm_regs::r10}, {HV_R11, &kvm_regs::r11},
    {HV_R12, &kvm_regs::r12}, {HV_R13, &kvm_regs::r13}, {HV_R14, &kvm_regs::r14},
    {HV_R15, &kvm_regs::r15}};

}  // namespace

kvm_regs ToRegs(const hv_vcpu_state& state) {
  kvm_regs regs{};
  for (const GeneralField& general : kGeneral) regs.*general.field = state.gpr[general.number];
  regs.rip = state.rip;
  regs.rflags = state.rflags;
  return regs;
}

void FromRegs(const kvm_regs& regs, hv_vcpu_state& state) {
  for (const GeneralField& general : kGeneral) state.gpr[general.number] = regs.*general.field;
  state.rip = regs.rip;
  state.rflags = regs.rflags;
}

kvm_sregs ToSregs(const hv_vcpu_state& state, bool boot_cpu) {
  kvm_sregs sregs{};
  for (const SegmentField& segment : kSegments) {
    sregs.*segment.field = ToSegment(state.segment[segment.number]);
  }
  sregs.ldt = ToSegment(state.ldtr);
  sregs.tr = ToSegment(state.tr);
  sregs.gdt = ToTable(state.gdtr);
  sregs.idt = ToTable(state.idtr);
  sregs.cr0 = state.cr0;
  sregs.cr2 = state.cr2;
  sregs.cr3 = state.cr3;
  sregs.cr4 = state.cr4;
  sregs.cr8 = state.cr8;
  sregs.efer = state.efer;
  // vcpu_svc's, but KVM shows a guest whose APIC is off none in CPUID.
  sregs.apic_base = kApicBase | kApicEnabled | (boot_cpu ? kApicBootCpu : 0);
  return sregs;
}

void FromSregs(const kvm_sregs& sregs, hv_vcpu_state& state) {
  for (const SegmentField& segment : kSegments) {
    state.segment[segment.number] = FromSegment(sregs.*segment.field);
  }
  state.ldtr = FromSegment(sregs.ldt);
  state.tr = FromSegment(sregs.tr);
  state.gdtr = FromTable(sregs.gdt);
  state.idtr = FromTable(sregs.idt);
  state.cr0 = sregs.cr0;
  state.cr2 = sregs.cr2;
  state.cr3 = sregs.cr3;
  state.cr4 = sregs.cr4;
  state.cr8 = sregs.cr8;
  state.efer = sregs.efer;
}

kvm_debugregs ToDebugRegs(const hv_vcpu_state& state) {
  kvm_debugregs regs{};
  std::memcpy(regs.db, state.dr, sizeof(regs.db));
  regs.dr6 = state.dr[6];
  regs.dr7 = state.dr[7];
  return regs;
}

void FromDebugRegs(const kvm_debugregs& regs, hv_vcpu_state& state) {
  std::memcpy(state.dr, regs.db, sizeof(regs.db));
  state.dr[6] = regs.dr6;
  state.dr[7] = regs.dr7;
}

kvm_vcpu_events ToEvents(const hv_vcpu_state& state) {
  kvm_vcpu_events events{};
  events.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
  events.nmi.masked = state.nmi_blocked != 0;
  if ((state.interrupt_shadow & kShadowSti) != 0) events.interrupt.shadow |= KVM_X86_SHADOW_INT_STI;
  if ((state.interrupt_shadow & kShadowMovSs) != 0) {
    events.interrupt.shadow |= KVM_X86_SHADOW_INT_MOV_SS;
  }
  return events;
}

void FromEvents(const kvm_vcpu_events& events, hv_vcpu_state& state) {
  state.nmi_blocked = events.nmi.masked;
  state.interrupt_shadow = 0;
  if ((events.interrupt.shadow & KVM_X86_SHADOW_INT_STI) != 0) state.interrupt_shadow |= kShadowSti;
  if ((events.interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS) != 0) {
    state.interrupt_shadow |= kShadowMovSs;
  }
}

XsaveArea ToXsave(const hv_vcpu_state& state) {
  XsaveArea xsave{};
  static_assert(sizeof(xsave.region) == sizeof(state.xsave));
  std::memcpy(xsave.region, state.xsave, sizeof(state.xsave));
  uint64_t components;
  std::memcpy(&components, state.xsave + kXstateAt, sizeof(components));
  components &= state.xcr0 | kX87AndSse;
  auto* header = reinterpret_cast<uint8_t*>(xsave.region) + kXstateAt;
  std::memset(header, 0, kXstateHeaderBytes);
  std::memcpy(header, &components, sizeof(components));
  return xsave;
}

}  // namespace hv::kvm
