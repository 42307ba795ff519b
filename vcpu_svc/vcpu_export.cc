// The state of vcpu_svc as Protobuf and back.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "proto/hv/v1/vcpu_state.pb.h"
#include "vcpu_svc/vcpu_core.h"

namespace hv::vcpu {
namespace {

template <typename Repeated, size_t N>
void PutWords(const uint32_t (&words)[N], Repeated* to) {
  for (uint32_t word : words) to->Add(word);
}

template <typename Repeated, size_t N>
bool GetWords(const Repeated& from, uint32_t (&words)[N]) {
  if (from.size() != static_cast<int>(N)) return false;
  std::copy(from.begin(), from.end(), words);
  return true;
}

}  // namespace

absl::StatusOr<std::string> VcpuCore::Export(const void* state) const {
  const auto& machine = *static_cast<const MachineState*>(state);
  hv::v1::VcpuServiceState out;
  out.set_intr_asserted(machine.intr_asserted != 0);
  out.set_intr_vector(machine.intr_vector);
  out.set_ignored_smis(machine.ignored_smis);
  out.set_round_robin(machine.round_robin);
  for (uint32_t i = 0; i < config_.cpus; ++i) {
    const VcpuState& v = machine.vcpu[i];
    const LocalApicState& apic = v.apic;
    hv::v1::VcpuApicState& to = *out.add_vcpus();
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
    to.set_initial_count(apic.initial_count);
    to.set_divide(apic.divide);
    to.set_timer_start_ns(apic.timer_start_ns);
    to.set_tsc_deadline(apic.tsc_deadline);
    to.set_timer_generation(apic.timer_generation);
    PutWords(apic.irr.words, to.mutable_irr());
    PutWords(apic.isr.words, to.mutable_isr());
    PutWords(apic.tmr.words, to.mutable_tmr());
    for (const MsrRow& row : MsrTable()) {
      for (uint32_t n = 0; n < row.count; ++n) {
        const MsrRow* found;
        int slot;
        if (FindMsr(row.index + n, config_.intel, found, slot) && slot >= 0) {
          (*to.mutable_msrs())[row.index + n] = v.msr[slot];
        }
      }
    }
    to.set_published(v.published);
    to.set_taken_generation(v.taken_generation);
    to.set_nmi_pending(v.nmi_pending != 0);
    to.set_init_pending(v.init_pending != 0);
    to.set_sipi_pending(v.sipi_pending != 0);
    to.set_sipi_vector(v.sipi_vector);
    to.set_waits_for_sipi(v.waits_for_sipi != 0);
  }
  return out.SerializeAsString();
}

absl::Status VcpuCore::Import(void* state, absl::string_view bytes) const {
  hv::v1::VcpuServiceState in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("state: not an hv.v1.VcpuServiceState");
  }
  if (in.vcpus_size() != static_cast<int>(config_.cpus)) {
    return absl::InvalidArgumentError(absl::StrCat("vcpus: the state has ", in.vcpus_size(),
                                                   ", this machine ", config_.cpus));
  }
  std::vector<VcpuState> vcpus(config_.cpus);
  for (uint32_t i = 0; i < config_.cpus; ++i) {
    const hv::v1::VcpuApicState& from = in.vcpus(static_cast<int>(i));
    VcpuState& v = vcpus[i];
    LocalApicState& apic = v.apic;
    apic.base = from.base();
    apic.id = from.id();
    apic.tpr = from.tpr() & 0xff;
    apic.ldr = from.ldr();
    apic.dfr = from.dfr();
    apic.svr = from.svr();
    apic.esr = from.esr();
    apic.esr_latched = from.esr_latched();
    apic.icr_low = from.icr_low();
    apic.icr_high = from.icr_high();
    apic.initial_count = from.initial_count();
    apic.divide = from.divide();
    apic.timer_start_ns = from.timer_start_ns();
    apic.tsc_deadline = from.tsc_deadline();
    apic.timer_generation = from.timer_generation();
    if (!GetWords(from.lvt(), apic.lvt) || !GetWords(from.irr(), apic.irr.words) ||
        !GetWords(from.isr(), apic.isr.words) || !GetWords(from.tmr(), apic.tmr.words)) {
      return absl::InvalidArgumentError(
          absl::StrCat("vcpus[", i, "]: lvt needs 6 words, irr, isr and tmr 8 each"));
    }
    for (const auto& [index, value] : from.msrs()) {
      const MsrRow* row;
      int slot;
      if (!FindMsr(index, config_.intel, row, slot) || slot < 0) {
        return absl::InvalidArgumentError(
            absl::StrCat("vcpus[", i, "].msrs: 0x", absl::Hex(index), " is not kept here"));
      }
      v.msr[slot] = value;
    }
    v.published = from.published();
    v.taken_generation = from.taken_generation();
    v.nmi_pending = from.nmi_pending();
    v.init_pending = from.init_pending();
    v.sipi_pending = from.sipi_pending();
    v.sipi_vector = static_cast<uint8_t>(from.sipi_vector());
    v.waits_for_sipi = from.waits_for_sipi();
  }
  auto& machine = *static_cast<MachineState*>(state);
  machine.intr_asserted = in.intr_asserted();
  machine.intr_vector = in.intr_vector() & 0xff;
  machine.ignored_smis = in.ignored_smis();
  machine.round_robin = in.round_robin() % config_.cpus;
  std::copy(vcpus.begin(), vcpus.end(), machine.vcpu);
  return absl::OkStatus();
}

}  // namespace hv::vcpu
