// The state of ioapic_svc as Protobuf and back. What comes back is checked field by field: it may
// be of another implementation, or forged.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ioapic_svc/ioapic_core.h"
#include "ioapic_svc/redirection_entry.h"
#include "proto/hv/v1/ioapic_state.pb.h"

namespace hv::ioapic {
namespace {

using Proto = hv::v1::IoapicServiceState;

constexpr uint32_t kInputMask = (1u << HV_IOAPIC_INPUTS) - 1;
constexpr uint32_t kIdMask = 0x0f000000;
constexpr uint64_t kEntryMask = RedirectionEntry::kWritable | RedirectionEntry::kRemoteIrr;

void Put(const I8259State& from, Proto::I8259& to) {
  to.set_irr(from.irr);
  to.set_isr(from.isr);
  to.set_imr(from.imr);
  to.set_lines(from.lines);
  to.set_elcr(from.elcr);
  to.set_vector_base(from.vector_base);
  to.set_priority(from.priority);
  to.set_init_step(from.init_step);
  to.set_needs_icw4(from.needs_icw4 != 0);
  to.set_single(from.single != 0);
  to.set_auto_eoi(from.auto_eoi != 0);
  to.set_rotate_on_auto_eoi(from.rotate_on_auto_eoi != 0);
  to.set_read_isr(from.read_isr != 0);
  to.set_poll(from.poll != 0);
  to.set_special_mask(from.special_mask != 0);
  to.set_special_fully_nested(from.special_fully_nested != 0);
}

absl::Status Get(const Proto::I8259& from, I8259State& to) {
  if ((from.irr() | from.isr() | from.imr() | from.lines() | from.elcr() | from.vector_base()) >
          0xff ||
      (from.vector_base() & 7) != 0) {
    return absl::InvalidArgumentError("8259: a register is wider than a byte, or vector_base " +
                                      absl::StrCat(from.vector_base()) + " no multiple of 8");
  }
  if (from.priority() > 7 || from.init_step() > 3) {
    return absl::InvalidArgumentError(absl::StrCat("8259: priority ", from.priority(),
                                                   " or init_step ", from.init_step(),
                                                   " is out of range"));
  }
  to.irr = static_cast<uint8_t>(from.irr());
  to.isr = static_cast<uint8_t>(from.isr());
  to.imr = static_cast<uint8_t>(from.imr());
  to.lines = static_cast<uint8_t>(from.lines());
  to.elcr = static_cast<uint8_t>(from.elcr());
  to.vector_base = static_cast<uint8_t>(from.vector_base());
  to.priority = static_cast<uint8_t>(from.priority());
  to.init_step = static_cast<uint8_t>(from.init_step());
  to.needs_icw4 = from.needs_icw4();
  to.single = from.single();
  to.auto_eoi = from.auto_eoi();
  to.rotate_on_auto_eoi = from.rotate_on_auto_eoi();
  to.read_isr = from.read_isr();
  to.poll = from.poll();
  to.special_mask = from.special_mask();
  to.special_fully_nested = from.special_fully_nested();
  return absl::OkStatus();
}

absl::Status Get(const Proto& in, IoapicState& to) {
  if (in.entries_size() != HV_IOAPIC_INPUTS) {
    return absl::InvalidArgumentError(
        absl::StrCat("entries: ", in.entries_size(), ", must be ", HV_IOAPIC_INPUTS));
  }
  for (int i = 0; i < HV_IOAPIC_INPUTS; ++i) {
    const RedirectionEntry entry(in.entries(i));
    if ((entry.bits() & ~kEntryMask) != 0 || (entry.remote_irr() && !entry.level())) {
      return absl::InvalidArgumentError(absl::StrCat(
          "entries[", i, "]: 0x", absl::Hex(entry.bits()), " is no redirection entry"));
    }
    to.entries[i] = entry.bits();
  }
  if ((in.lines() & ~kInputMask) != 0 || in.select() > 0xff || (in.id() & ~kIdMask) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("lines 0x", absl::Hex(in.lines()), ", select ",
                                                   in.select(), " or id 0x", absl::Hex(in.id()),
                                                   " is out of range"));
  }
  to.lines = in.lines();
  to.select = in.select();
  to.id = in.id();
  return absl::OkStatus();
}

absl::Status Get(const Proto& in, GsiRoutingState& to) {
  for (const Proto::MsiRoute& route : in.routes()) {
    if (route.gsi() < HV_IOAPIC_INPUTS || route.gsi() >= HV_GSI_COUNT || route.owner() == 0) {
      return absl::InvalidArgumentError(absl::StrCat("routes: GSI ", route.gsi(), " of endpoint ",
                                                     route.owner(), ", must be ", HV_IOAPIC_INPUTS,
                                                     " to ", HV_GSI_COUNT - 1, " of somebody"));
    }
    MsiRoute& entry = to.msi[route.gsi() - HV_IOAPIC_INPUTS];
    if (entry.owner != 0) {
      return absl::InvalidArgumentError(absl::StrCat("routes: GSI ", route.gsi(), " stands twice"));
    }
    entry = {.address = route.address(),
             .data = route.data(),
             .owner = route.owner(),
             .level = route.level() ? 1u : 0u};
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> IoapicCore::Export(const State& state) const {
  Proto out;
  for (uint64_t entry : state.ioapic.entries) out.add_entries(entry);
  out.set_lines(state.ioapic.lines);
  out.set_select(state.ioapic.select);
  out.set_id(state.ioapic.id);
  Put(state.pics.master, *out.mutable_master());
  Put(state.pics.slave, *out.mutable_slave());
  out.set_intr_asserted(state.intr_asserted != 0);
  out.set_intr_vector(state.intr_vector);
  out.set_intr_acknowledged(state.intr_acknowledged);
  for (uint32_t sources : state.sources) out.add_sources(sources);
  for (uint32_t i = 0; i < kMsiGsis; ++i) {
    const MsiRoute& from = state.routing.msi[i];
    if (from.owner == 0) continue;
    Proto::MsiRoute& to = *out.add_routes();
    to.set_gsi(HV_IOAPIC_INPUTS + i);
    to.set_address(from.address);
    to.set_data(from.data);
    to.set_owner(from.owner);
    to.set_level(from.level != 0);
  }
  return out.SerializeAsString();
}

absl::Status IoapicCore::Import(State& state, absl::string_view bytes) const {
  Proto in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("state: not an hv.v1.IoapicServiceState");
  }
  State next{};
  if (auto status = Get(in, next.ioapic); !status.ok()) return status;
  if (auto status = Get(in.master(), next.pics.master); !status.ok()) return status;
  if (auto status = Get(in.slave(), next.pics.slave); !status.ok()) return status;
  if (auto status = Get(in, next.routing); !status.ok()) return status;
  if (in.sources_size() != HV_IOAPIC_INPUTS || in.intr_vector() > 0xff) {
    return absl::InvalidArgumentError(
        absl::StrCat("sources: ", in.sources_size(), ", must be ", HV_IOAPIC_INPUTS,
                     "; intr_vector: ", in.intr_vector(), ", must be a byte"));
  }
  next.intr_asserted = in.intr_asserted();
  next.intr_vector = in.intr_vector();
  next.intr_acknowledged = in.intr_acknowledged();
  std::copy(in.sources().begin(), in.sources().end(), next.sources);
  state = next;
  return absl::OkStatus();
}

}  // namespace hv::ioapic
