#include "ioapic_svc/ioapic_core.h"

#include "abi/endpoint.h"
#include "abi/route_table.h"
#include "service/access.h"

namespace hv::ioapic {
namespace {

using service::Actions;
using service::Message;

constexpr uint32_t kVcpu = HV_ENDPOINT(HV_ROLE_VCPU, 0);
constexpr uint32_t kInstancesPerRole = 4;  // that `sources` has bits for
static_assert(HV_ROLE_POWER * kInstancesPerRole + kInstancesPerRole <= 32);

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
  actions.Send(
      kVcpu, HV_KIND_INTR, 0,
      hv_intr{.asserted = asserted, .vector = vector, .acknowledged = s.intr_acknowledged});
}

bool Acknowledge(State& s, const hv_intr& intr) {
  if (intr.vector > UINT8_MAX) return false;
  I8259Pair(s.pics).Acknowledge(static_cast<uint8_t>(intr.vector));
  // vcpu_svc took the output for low when the vector was taken; what it is now it must hear.
  ++s.intr_acknowledged;
  s.intr_asserted = 0;
  s.intr_vector = 0;
  return true;
}

bool SetLine(State& s, const Message& message, Actions& actions) {
  const auto line = message.As<hv_line>();
  const Pins* pins = GsiRouting::PinsOf(line.gsi);
  if (pins == nullptr) {
    std::optional<hv_interrupt> interrupt;
    if (!GsiRouting(s.routing).SetLine(message.from, line.gsi, line.level != 0, interrupt)) {
      return false;
    }
    Send(actions, interrupt);
    return true;
  }
  const uint32_t role = HV_ENDPOINT_ROLE(message.from);
  const uint32_t instance = HV_ENDPOINT_INSTANCE(message.from);
  if (role > HV_ROLE_POWER || instance >= kInstancesPerRole) return false;
  const uint32_t bit = 1u << (role * kInstancesPerRole + instance);
  uint32_t& sources = s.sources[line.gsi];
  sources = line.level != 0 ? sources | bit : sources & ~bit;
  const bool level = sources != 0;
  Send(actions, Ioapic(s.ioapic).SetLine(pins->ioapic_input, level));
  if (pins->irq) I8259Pair(s.pics).SetIrq(*pins->irq, level);
  return true;
}

void EndOfInterrupt(State& s, uint8_t vector, Actions& actions) {
  Ioapic(s.ioapic).EndOfInterrupt(
      vector, [&](const hv_interrupt& again) { actions.Send(kVcpu, HV_KIND_INTERRUPT, 0, again); });
}

// An access a CPU can make to the places of this service.
bool WellFormed(const hv_access& access) {
  return service::IsPortAccess(access) ||
         service::IsMmioAccess(access, HV_IOAPIC_BASE, HV_IOAPIC_BYTES);
}

uint64_t ReadPorts(State& s, const hv_access& access) {
  return service::ReadBytes(access, [&](uint64_t port) {
    uint8_t byte = 0xff;  // where there is no register
    I8259Pair(s.pics).Read(static_cast<uint16_t>(port), byte);
    return byte;
  });
}

uint64_t ReadRegister(State& s, const hv_access& access) {
  const uint64_t offset = access.address - HV_IOAPIC_BASE;
  const uint64_t value = Ioapic(s.ioapic).Read(offset & ~3ull) >> (8 * (offset & 3));
  return access.width >= 4 ? value : value & ((1u << (8 * access.width)) - 1);
}

bool Read(State& s, const Message& message, Actions& actions) {
  const auto access = message.As<hv_access>();
  const bool known = WellFormed(access);
  const uint64_t value = !known                          ? UINT64_MAX
                         : access.space == HV_SPACE_PORT ? ReadPorts(s, access)
                                                         : ReadRegister(s, access);
  actions.Send(message.from, HV_KIND_READ_DONE, message.tag, hv_access_done{.data = value});
  return known;
}

bool Write(State& s, const Message& message, Actions& actions) {
  const auto access = message.As<hv_access>();
  if (!WellFormed(access)) return false;
  if (access.space == HV_SPACE_PORT) {
    service::WriteBytes(access, [&](uint64_t port, uint8_t byte) {
      I8259Pair(s.pics).Write(static_cast<uint16_t>(port), byte);
    });
    return true;
  }
  std::optional<uint8_t> end_of_interrupt;
  Send(actions, Ioapic(s.ioapic).Write(access.address - HV_IOAPIC_BASE,
                                       static_cast<uint32_t>(access.data), end_of_interrupt));
  if (end_of_interrupt) EndOfInterrupt(s, *end_of_interrupt, actions);
  return true;
}

bool Serve(State& s, const Message& message, Actions& actions) {
  switch (message.kind) {
    case HV_KIND_READ: return Read(s, message, actions);
    case HV_KIND_WRITE: {
      const bool known = Write(s, message, actions);
      actions.Send(message.from, HV_KIND_WRITE_DONE, message.tag, hv_access_done{});
      return known;
    }
    case HV_KIND_WRITE_POSTED: return Write(s, message, actions);
    case HV_KIND_LINE: return SetLine(s, message, actions);
    case HV_KIND_GSI_ROUTE:
      return GsiRouting(s.routing).SetRoute(message.from, message.As<hv_gsi_route>());
    case HV_KIND_EOI: {
      const uint32_t vector = message.As<hv_eoi>().vector;
      if (vector > UINT8_MAX) return false;
      EndOfInterrupt(s, static_cast<uint8_t>(vector), actions);
      return true;
    }
    case HV_KIND_INTA: return Acknowledge(s, message.As<hv_intr>());
    default: return false;
  }
}

}  // namespace

void IoapicCore::Reset(State& state, uint64_t, Actions&) const {
  state = {};
  Ioapic(state.ioapic).Reset();
  I8259Pair(state.pics).Reset();
}

bool IoapicCore::Handle(State& state, const Message& message, uint64_t, Actions& actions) const {
  const bool known = Serve(state, message, actions);
  UpdateIntr(state, actions);
  return known;
}

void IoapicCore::Tick(State&, uint64_t, Actions&) const {}

}  // namespace hv::ioapic
