#include "ioapic_svc/ioapic_core.h"

#include "abi/endpoint.h"
#include "abi/route_table.h"

namespace hv::ioapic {
namespace {

using service::Actions;
using service::Message;

constexpr uint32_t kVcpu = HV_ENDPOINT(HV_ROLE_VCPU, 0);
constexpr uint32_t kIsaIrqs = 16;

void Send(Actions& actions, const std::optional<hv_interrupt>& interrupt) {
  if (interrupt) actions.Send(kVcpu, HV_KIND_INTERRUPT, 0, *interrupt);
}

// Tells vcpu_svc when the 8259 pair's output, or the vector behind it, is not what it was.
void UpdateIntr(State& s, Actions& actions) {
  const I8259Pair pair(s.pics);
  const uint32_t asserted = pair.output() ? 1 : 0;
  const uint32_t vector = asserted != 0 ? pair.vector() : 0;
  if (asserted == s.intr_asserted && vector == s.intr_vector) return;
  s.intr_asserted = asserted;
  s.intr_vector = vector;
  actions.Send(kVcpu, HV_KIND_INTR, 0, hv_intr{.asserted = asserted, .vector = vector});
}

// The 8259 input of a GSI: ISA IRQ n is GSI n, but for IRQ 0, which is GSI 2.
int IrqOf(uint32_t gsi) {
  if (gsi == HV_GSI_PIT) return 0;
  if (gsi == 0 || gsi >= kIsaIrqs) return -1;
  return static_cast<int>(gsi);
}

bool SetLine(State& s, const Message& message, Actions& actions) {
  const auto line = message.As<hv_line>();
  if (line.gsi >= HV_IOAPIC_INPUTS) return false;
  uint32_t& sources = s.sources[line.gsi];
  // Four of each role at the most: instance 0 to 3.
  const uint32_t bit = 1u << ((HV_ENDPOINT_ROLE(message.from) * 4 +
                               HV_ENDPOINT_INSTANCE(message.from) % 4) % 32);
  sources = line.level != 0 ? sources | bit : sources & ~bit;
  const bool level = sources != 0;
  Send(actions, Ioapic(s.ioapic).SetLine(line.gsi, level));
  if (const int irq = IrqOf(line.gsi); irq >= 0) {
    I8259Pair(s.pics).SetIrq(static_cast<uint8_t>(irq), level);
  }
  return true;
}

void EndOfInterrupt(State& s, uint8_t vector, Actions& actions) {
  Ioapic(s.ioapic).EndOfInterrupt(vector, [&](const hv_interrupt& again) {
    actions.Send(kVcpu, HV_KIND_INTERRUPT, 0, again);
  });
}

uint64_t ReadPorts(State& s, const hv_access& access) {
  uint64_t value = 0;
  for (uint32_t i = 0; i < access.width; ++i) {
    uint8_t byte = 0xff;
    I8259Pair(s.pics).Read(static_cast<uint16_t>(access.address + i), byte);
    value |= uint64_t{byte} << (8 * i);
  }
  return value;
}

void Read(State& s, const Message& message, Actions& actions) {
  const auto access = message.As<hv_access>();
  uint64_t value;
  if (access.space == HV_SPACE_PORT) {
    value = ReadPorts(s, access);
  } else {
    const uint64_t offset = access.address - HV_IOAPIC_BASE;
    value = Ioapic(s.ioapic).Read(offset & ~3ull) >> (8 * (offset & 3));
  }
  actions.Send(message.from, HV_KIND_READ_DONE, message.tag, hv_access_done{.data = value});
}

void Write(State& s, const Message& message, Actions& actions) {
  const auto access = message.As<hv_access>();
  if (access.space == HV_SPACE_PORT) {
    for (uint32_t i = 0; i < access.width && i < sizeof(access.data); ++i) {
      I8259Pair(s.pics).Write(static_cast<uint16_t>(access.address + i),
                              static_cast<uint8_t>(access.data >> (8 * i)));
    }
    return;
  }
  std::optional<uint8_t> end_of_interrupt;
  Send(actions, Ioapic(s.ioapic).Write(access.address - HV_IOAPIC_BASE,
                                       static_cast<uint32_t>(access.data), end_of_interrupt));
  if (end_of_interrupt) EndOfInterrupt(s, *end_of_interrupt, actions);
}

}  // namespace

void IoapicCore::Reset(State& state, uint64_t, Actions&) const {
  Ioapic(state.ioapic).Reset();
  I8259Pair(state.pics).Reset();
}

bool IoapicCore::Handle(State& state, const Message& message, uint64_t, Actions& actions) const {
  bool known = true;
  switch (message.kind) {
    case HV_KIND_READ:
      Read(state, message, actions);
      break;
    case HV_KIND_WRITE:
      Write(state, message, actions);
      actions.Send(message.from, HV_KIND_WRITE_DONE, message.tag, hv_access_done{});
      break;
    case HV_KIND_WRITE_POSTED:
      Write(state, message, actions);
      break;
    case HV_KIND_LINE:
      known = SetLine(state, message, actions);
      break;
    case HV_KIND_EOI:
      EndOfInterrupt(state, static_cast<uint8_t>(message.As<hv_eoi>().vector), actions);
      break;
    case HV_KIND_INTA:
      I8259Pair(state.pics).Acknowledge(static_cast<uint8_t>(message.As<hv_intr>().vector));
      // vcpu_svc took the output for low when the vector was taken; what it is now it must hear.
      state.intr_asserted = 0;
      state.intr_vector = 0;
      break;
    default:
      known = false;
  }
  UpdateIntr(state, actions);
  return known;
}

void IoapicCore::Tick(State&, uint64_t, Actions&) const {}

}  // namespace hv::ioapic
