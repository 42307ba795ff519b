#include "vcpu_svc/msr_access.h"

namespace hv::vcpu {
namespace {

constexpr uint32_t kApicBase = 0x1b, kArchCapabilities = 0x10a, kTscDeadline = 0x6e0;
constexpr uint32_t kX2apicFirst = 0x800, kX2apicLast = 0x8ff;

bool IsX2apic(uint32_t index) { return index >= kX2apicFirst && index <= kX2apicLast; }

std::optional<uint64_t> ReadTable(Machine& machine, uint32_t vcpu, uint32_t index) {
  const MsrPlace place = FindMsr(index, machine.config().intel);
  if (place.row == nullptr || place.row->rule == WriteRule::kWriteOnly) return std::nullopt;
  return place.row->stored() ? machine.vcpu(vcpu).msr[place.slot] : place.row->reset;
}

GuestTsc TscOf(Machine& machine, uint32_t vcpu) {
  return GuestTsc(machine.config().tsc_hz, machine.vcpu(vcpu).tsc_adjust);
}

bool WriteTable(Machine& machine, uint32_t vcpu, uint32_t index, uint64_t value) {
  const MsrPlace place = FindMsr(index, machine.config().intel);
  if (place.row == nullptr) return false;
  switch (place.row->rule) {
    case WriteRule::kReadOnly: return false;
    case WriteRule::kIgnore:
    case WriteRule::kWriteOnly: return true;
    case WriteRule::kStored:
      if (!place.row->Accepts(value)) return false;
      machine.vcpu(vcpu).msr[place.slot] = value;
      return true;
  }
  return false;
}

}  // namespace

std::optional<uint64_t> ReadMsr(Machine& machine, uint32_t vcpu, uint32_t index) {
  if (index == kApicBase) return machine.vcpu(vcpu).apic.base;
  if (index == kTscDeadline) return machine.apic(vcpu).tsc_deadline();
  if (index == kTscAdjustMsr) return machine.vcpu(vcpu).tsc_adjust;
  if (index == kArchCapabilities && machine.config().intel) {
    return machine.config().arch_capabilities;
  }
  if (IsX2apic(index)) return machine.apic(vcpu).ReadMsr(index - kX2apicFirst, machine.now_ns());
  return ReadTable(machine, vcpu, index);
}

bool WriteMsr(Machine& machine, uint32_t vcpu, uint32_t index, uint64_t value, Effects& effects) {
  LocalApic apic = machine.apic(vcpu);
  if (index == kApicBase) return apic.WriteBase(value, effects);
  if (index == kTscDeadline) {
    apic.WriteTscDeadline(value, TscOf(machine, vcpu), machine.now_ns(), effects);
    return true;
  }
  if (index == kTscAdjustMsr) {
    machine.vcpu(vcpu).tsc_adjust = value;
    ++machine.vcpu(vcpu).tsc_moves;
    apic.TscMoved(TscOf(machine, vcpu), machine.now_ns(), effects);
    return true;
  }
  if (IsX2apic(index)) {
    return apic.WriteMsr(index - kX2apicFirst, value, machine.now_ns(), effects);
  }
  return WriteTable(machine, vcpu, index, value);
}

}  // namespace hv::vcpu
