// The state of vcpu_svc as Protobuf (proto/hv/v1/vcpu_state.proto).
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "proto/hv/v1/vcpu_state.pb.h"
#include "vcpu_svc/vcpu_core.h"

namespace hv::vcpu {
namespace {

template <typename Repeated, size_t N>
void PutWords(const uint32_t (&words)[N], Repeated* to) {
  for (uint32_t word : words) to->Add(word);
}

void PutApic(const LocalApicState& apic, hv::v1::VcpuApicState& to) {
  to.set_base(apic.base);
  to.set_id(apic.id);
  to.set_tpr(apic.tpr);
  to.set_ldr(apic.ldr);
  to.set_dfr(apic.dfr);
  to.set_svr(apic.svr);
  to.set_esr(apic.esr);
  to.set_esr_latched(apic.esr_latched);
  to.set_icr_low(apic.icr_low);
  to.set_icr_high(apic.icr_high);
  PutWords(apic.lvt, to.mutable_lvt());
  to.set_initial_count(apic.timer.initial_count);
  to.set_divide(apic.timer.divide);
  to.set_timer_deadline_ns(apic.timer.deadline_ns);
  to.set_tsc_deadline(apic.timer.tsc_deadline);
  to.set_timer_generation(apic.timer.generation);
  PutWords(apic.irr.words, to.mutable_irr());
  PutWords(apic.isr.words, to.mutable_isr());
  PutWords(apic.tmr.words, to.mutable_tmr());
}

void PutVcpu(const VcpuState& v, bool intel, hv::v1::VcpuApicState& to) {
  PutApic(v.apic, to);
  ForEachStoredMsr(intel, [&](uint32_t index, const MsrRow&, int slot) {
    (*to.mutable_msrs())[index] = v.msr[slot];
  });
  to.set_published(v.published);
  to.set_taken_generation(v.taken_generation);
  to.set_nmi_pending(v.nmi_pending != 0);
  to.set_init_pending(v.init_pending != 0);
  to.set_sipi_pending(v.sipi_pending != 0);
  to.set_sipi_vector(v.sipi_vector);
  to.set_waits_for_sipi(v.waits_for_sipi != 0);
  to.set_deadline_owed(v.deadline_owed != 0);
  to.set_store_awaited(v.store_awaited != 0);
  to.set_store_tag(v.store_tag);
  to.set_tsc_adjust(v.tsc_adjust);
  to.set_tsc_moves(v.tsc_moves);
}

// The same state gives the same bytes, whatever the order of a map in memory.
std::string Serialize(const hv::v1::VcpuServiceState& state) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  state.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

}  // namespace

absl::StatusOr<std::string> VcpuCore::Export(const void* state) const {
  const auto& machine = *static_cast<const MachineState*>(state);
  hv::v1::VcpuServiceState out;
  out.set_intr_asserted(machine.intr_asserted != 0);
  out.set_intr_vector(machine.intr_vector);
  out.set_intr_taken(machine.intr_taken);
  out.set_ignored_smis(machine.ignored_smis);
  out.set_round_robin(machine.round_robin);
  for (uint32_t i = 0; i < config_.cpus; ++i) {
    PutVcpu(machine.vcpu[i], config_.intel, *out.add_vcpus());
  }
  return Serialize(out);
}

}  // namespace hv::vcpu
