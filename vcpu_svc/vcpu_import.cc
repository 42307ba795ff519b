// The state of vcpu_svc from Protobuf (proto/hv/v1/vcpu_state.proto): foreign input, each field
// checked against what the registers can hold.
#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/hv/v1/vcpu_state.pb.h"
#include "vcpu_svc/event_word.h"
#include "vcpu_svc/vcpu_core.h"

namespace hv::vcpu {
namespace {

using hv::v1::VcpuApicState;

// Gathers the fields of one vCPU; remembers the first that is out of range.
class VcpuReader {
 public:
  VcpuReader(uint32_t index, bool intel, VcpuState& to) : index_(index), intel_(intel), v_(to) {}

  absl::Status Read(const VcpuApicState& from) {
    Mode(from);
    Registers(from);
    Timer(from);
    Words("irr", from.irr(), v_.apic.irr.words);
    Words("isr", from.isr(), v_.apic.isr.words);
    Words("tmr", from.tmr(), v_.apic.tmr.words);
    Vectors();
    Msrs(from);
    Events(from);
    return status_;
  }

 private:
  void Refuse(absl::string_view field, uint64_t value) {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(
        absl::StrCat("vcpus[", index_, "].", field, ": 0x", absl::Hex(value), " is out of range"));
  }
  // A field of which only the bits of `mask` can be set.
  uint64_t Bits(absl::string_view field, uint64_t value, uint64_t mask) {
    if ((value & ~mask) != 0) Refuse(field, value);
    return value & mask;
  }
  uint32_t Bits32(absl::string_view field, uint32_t value, uint32_t mask) {
    return static_cast<uint32_t>(Bits(field, value, mask));
  }
  uint8_t Byte(absl::string_view field, uint32_t value) {
    return static_cast<uint8_t>(Bits(field, value, 0xff));
  }

  template <typename Repeated, size_t N>
  void Words(absl::string_view field, const Repeated& from, uint32_t (&words)[N]) {
    if (from.size() != static_cast<int>(N))
      return Refuse(absl::StrCat(field, " count"), from.size());
    std::copy(from.begin(), from.end(), words);
  }

  void Mode(const VcpuApicState& from) {
    const bool boot_cpu = (from.base() & ApicBase::kBootCpu) != 0;
    if (!ApicBase(from.base()).legal() || boot_cpu != (index_ == 0)) Refuse("base", from.base());
    if (from.id() != index_) Refuse("id", from.id());
    v_.apic.base = from.base();
    v_.apic.id = from.id();
  }

  void Registers(const VcpuApicState& from) {
    LocalApicState& apic = v_.apic;
    const bool x2apic = ApicBase(apic.base).x2apic();
    apic.tpr = Bits32("tpr", from.tpr(), 0xff);
    apic.ldr = from.ldr();
    if (apic.ldr != (x2apic ? X2apicLogicalId(apic.id) : apic.ldr & 0xff000000)) {
      Refuse("ldr", apic.ldr);
    }
    apic.dfr = from.dfr();
    if ((~apic.dfr & DestinationFormat::kReadOnlyOnes) != 0) Refuse("dfr", apic.dfr);
    apic.svr = Bits32("svr", from.svr(), SpuriousRegister::kWritable);
    apic.esr = Bits32("esr", from.esr(), ApicError::kAll);
    apic.esr_latched = Bits32("esr_latched", from.esr_latched(), ApicError::kAll);
    apic.icr_low = Bits32("icr_low", from.icr_low(), CommandRegister::kWritable);
    apic.icr_high = Bits32("icr_high", from.icr_high(), x2apic ? UINT32_MAX : 0xff000000);
    Words("lvt", from.lvt(), apic.lvt);
    for (uint32_t i = 0; i < kLvtEntries; ++i) {
      Bits("lvt", apic.lvt[i], LvtEntry::Writable(static_cast<Lvt>(i)));
    }
  }

  void Timer(const VcpuApicState& from) {
    ApicTimerState& timer = v_.apic.timer;
    timer.initial_count = from.initial_count();
    timer.divide = Bits32("divide", from.divide(), DivideConfiguration::kWritable);
    timer.deadline_ns = from.timer_deadline_ns();
    timer.tsc_deadline = from.tsc_deadline();
    timer.generation = from.timer_generation();
    const LvtEntry entry(v_.apic.lvt[static_cast<uint32_t>(Lvt::kTimer)]);
    const bool counts = entry.timer_mode() != TimerMode::kTscDeadline;
    if (counts && timer.tsc_deadline != 0) Refuse("tsc_deadline", timer.tsc_deadline);
    if (!counts && timer.initial_count != 0) Refuse("initial_count", timer.initial_count);
    // Armed by what was written, or not at all.
    const uint64_t reason = counts ? timer.initial_count : timer.tsc_deadline;
    if (timer.deadline_ns != 0 && reason == 0) Refuse("timer_deadline_ns", timer.deadline_ns);
  }

  // No vector below 16 is requested or in service.
  void Vectors() {
    constexpr uint32_t kLegal = ~((1u << kFirstLegalVector) - 1);
    Bits("irr", v_.apic.irr.words[0], kLegal);
    Bits("isr", v_.apic.isr.words[0], kLegal);
    Bits("tmr", v_.apic.tmr.words[0], kLegal);
  }

  // Registers that are not given have their reset values.
  void Msrs(const VcpuApicState& from) {
    ForEachStoredMsr(intel_,
                     [this](uint32_t, const MsrRow& row, int slot) { v_.msr[slot] = row.reset; });
    for (const auto& [index, value] : from.msrs()) {
      const MsrPlace place = FindMsr(index, intel_);
      if (place.slot < 0) {
        Refuse("msrs", index);
      } else if (!place.row->Accepts(value)) {
        Refuse(absl::StrCat("msrs[0x", absl::Hex(index), "]"), value);
      } else {
        v_.msr[place.slot] = value;
      }
    }
  }

  void Events(const VcpuApicState& from) {
    v_.published = Bits("published", from.published(), EventWord::kAll);
    v_.taken_generation = from.taken_generation();
    v_.nmi_pending = from.nmi_pending();
    v_.init_pending = from.init_pending();
    v_.sipi_pending = from.sipi_pending();
    v_.sipi_vector = Byte("sipi_vector", from.sipi_vector());
    v_.waits_for_sipi = from.waits_for_sipi();
    v_.deadline_owed = from.deadline_owed();
    v_.store_awaited = from.store_awaited();
    v_.store_tag = from.store_tag();
    v_.tsc_adjust = from.tsc_adjust();
    v_.tsc_moves = from.tsc_moves();
  }

  const uint32_t index_;
  const bool intel_;
  VcpuState& v_;
  absl::Status status_;
};

}  // namespace

absl::Status VcpuCore::Import(void* state, absl::string_view bytes) const {
  hv::v1::VcpuServiceState in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("state: not an hv.v1.VcpuServiceState");
  }
  if (in.vcpus_size() != static_cast<int>(config_.cpus)) {
    return absl::InvalidArgumentError(
        absl::StrCat("vcpus: the state has ", in.vcpus_size(), ", this machine ", config_.cpus));
  }
  if (in.intr_vector() > 0xff) {
    return absl::InvalidArgumentError(
        absl::StrCat("intr_vector: ", in.intr_vector(), " is no vector"));
  }
  if (in.round_robin() >= config_.cpus) {
    return absl::InvalidArgumentError(
        absl::StrCat("round_robin: there is no vCPU ", in.round_robin()));
  }
  std::vector<VcpuState> vcpus(config_.cpus);
  for (uint32_t i = 0; i < config_.cpus; ++i) {
    VcpuReader reader(i, config_.intel, vcpus[i]);
    if (auto status = reader.Read(in.vcpus(static_cast<int>(i))); !status.ok()) return status;
  }
  auto& machine = *static_cast<MachineState*>(state);
  machine.intr_asserted = in.intr_asserted();
  machine.intr_vector = in.intr_vector();
  machine.intr_taken = in.intr_taken();
  machine.ignored_smis = in.ignored_smis();
  machine.round_robin = in.round_robin();
  std::copy(vcpus.begin(), vcpus.end(), machine.vcpu);
  return absl::OkStatus();
}

}  // namespace hv::vcpu
