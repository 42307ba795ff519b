// The state of ioapic_svc as Protobuf and back.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ioapic_svc/ioapic_core.h"
#include "proto/hv/v1/ioapic_state.pb.h"

namespace hv::ioapic {
namespace {

using Chip = hv::v1::IoapicServiceState::I8259;

void Put(const I8259State& from, Chip& to) {
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

absl::Status Get(const Chip& from, I8259State& to) {
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

}  // namespace

absl::StatusOr<std::string> IoapicCore::Export(const State& state) const {
  hv::v1::IoapicServiceState out;
  for (uint64_t entry : state.ioapic.entries) out.add_entries(entry);
  out.set_lines(state.ioapic.lines);
  out.set_pending(state.ioapic.pending);
  out.set_select(state.ioapic.select);
  out.set_id(state.ioapic.id);
  Put(state.pics.master, *out.mutable_master());
  Put(state.pics.slave, *out.mutable_slave());
  out.set_intr_asserted(state.intr_asserted != 0);
  out.set_intr_vector(state.intr_vector);
  for (uint32_t sources : state.sources) out.add_sources(sources);
  return out.SerializeAsString();
}

absl::Status IoapicCore::Import(State& state, absl::string_view bytes) const {
  hv::v1::IoapicServiceState in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("state: not an hv.v1.IoapicServiceState");
  }
  if (in.entries_size() != HV_IOAPIC_INPUTS || in.sources_size() != HV_IOAPIC_INPUTS) {
    return absl::InvalidArgumentError(absl::StrCat("entries, sources: ", in.entries_size(), " and ",
                                                   in.sources_size(), ", must be ",
                                                   HV_IOAPIC_INPUTS, " each"));
  }
  State next{};
  std::copy(in.entries().begin(), in.entries().end(), next.ioapic.entries);
  next.ioapic.lines = in.lines();
  next.ioapic.pending = in.pending();
  next.ioapic.select = in.select() & 0xff;
  next.ioapic.id = in.id();
  if (auto status = Get(in.master(), next.pics.master); !status.ok()) return status;
  if (auto status = Get(in.slave(), next.pics.slave); !status.ok()) return status;
  next.intr_asserted = in.intr_asserted();
  next.intr_vector = in.intr_vector();
  std::copy(in.sources().begin(), in.sources().end(), next.sources);
  state = next;
  return absl::OkStatus();
}

}  // namespace hv::ioapic
