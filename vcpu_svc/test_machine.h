// A machine for tests: the core on memory of its own, vCPU pages, and vCPU threads that take what
// is published as hv_kernel's do.
#pragma once

#include <cstdint>
#include <vector>

#include "abi/endpoint.h"
#include "abi/message.h"
#include "abi/platform.h"
#include "abi/route_table.h"
#include "service/message.h"
#include "vcpu_svc/event_word.h"
#include "vcpu_svc/vcpu_core.h"

namespace hv::vcpu {

class TestMachine {
 public:
  static constexpr uint64_t kTscHz = 2'000'000'000;
  static constexpr uint64_t kArchCapabilities = 0x121;
  static constexpr uint32_t kIoapic = HV_ENDPOINT(HV_ROLE_IOAPIC, 0);
  static constexpr uint32_t kTimer = HV_ENDPOINT(HV_ROLE_TIMER, 0);

  explicit TestMachine(uint32_t cpus, bool intel = true)
      : wakes(cpus),
        pages(cpus),
        config_{.cpus = cpus,
                .tsc_hz = kTscHz,
                .intel = intel,
                .arch_capabilities = kArchCapabilities,
                .pages = MakePages()},
        core_(config_),
        bytes_((core_.state_bytes() + 7) / 8) {
    service::Actions actions;
    core_.Reset(bytes_.data(), 0, actions);
    core_.Project(bytes_.data());
  }
  TestMachine(const TestMachine&) = delete;

  VcpuCore& core() { return core_; }
  const MachineConfig& config() const { return config_; }
  MachineState& state() { return *reinterpret_cast<MachineState*>(bytes_.data()); }
  VcpuState& vcpu(uint32_t i) { return state().vcpu[i]; }
  LocalApicState& apic(uint32_t i) { return vcpu(i).apic; }
  Machine At(uint64_t time_ns) { return Machine(config_, state(), time_ns); }
  std::string Bytes() const {
    return std::string(reinterpret_cast<const char*>(bytes_.data()), core_.state_bytes());
  }

  // One step, committed. What it sent is in `sent`, whether it was refused in `refused`.
  template <typename T>
  void Step(uint32_t from, uint16_t kind, const T& payload, uint32_t tag = 0) {
    Step(service::Message::Of(from, kind, tag, payload));
  }
  void Step(const service::Message& message) {
    service::Actions actions;
    actions.WakeAt(wake_at_ns);
    refused = !core_.Handle(bytes_.data(), message, now_ns, actions);
    Commit(actions);
  }
  void Tick() {
    service::Actions actions;
    actions.WakeAt(wake_at_ns);
    core_.Tick(bytes_.data(), now_ns, actions);
    Commit(actions);
  }

  // What vCPU threads ask for.
  static uint32_t Endpoint(uint32_t vcpu) { return HV_ENDPOINT(HV_ROLE_KERNEL, vcpu); }
  void WriteApic(uint32_t vcpu, uint32_t number, uint32_t value) {
    Step(Endpoint(vcpu), HV_KIND_WRITE,
         hv_access{.address = HV_LOCAL_APIC_BASE + number * 16,
                   .data = value,
                   .width = 4,
                   .space = HV_SPACE_MMIO});
  }
  void WriteMsr(uint32_t vcpu, uint32_t index, uint64_t value) {
    Step(Endpoint(vcpu), HV_KIND_MSR_WRITE, hv_msr{.index = index, .value = value});
  }
  void Interrupt(const hv_interrupt& interrupt) { Step(kIoapic, HV_KIND_INTERRUPT, interrupt); }
  // From an ioapic_svc that has seen every INTA there was, or as many as it says.
  void Intr(bool asserted, uint32_t vector) { Intr(asserted, vector, intas_); }
  void Intr(bool asserted, uint32_t vector, uint32_t acknowledged) {
    Step(kIoapic, HV_KIND_INTR,
         hv_intr{.asserted = asserted ? 1u : 0u, .vector = vector, .acknowledged = acknowledged});
  }

  // A vCPU that can take anything takes the most urgent of what its page offers: true if there was
  // something. It reports only in Report(), as the message may be overtaken.
  bool Take(uint32_t vcpu) {
    hv_vcpu_page& page = pages[vcpu];
    const EventWord pending(page.pending), taken(page.taken);
    if (!pending.any() || pending.generation() == taken.generation() ||
        page.acknowledged != taken.generation()) {
      return false;
    }
    const uint64_t what = pending.init()   ? HV_PENDING_INIT
                          : pending.sipi() ? HV_PENDING_SIPI
                          : pending.nmi()
                              ? HV_PENDING_NMI
                              : page.pending & (HV_PENDING_INTERRUPT | HV_PENDING_EXTINT);
    page.taken = EventWord::Make(pending.generation(), what | pending.vector());
    if ((what & HV_PENDING_EXTINT) != 0) ++intas_;
    return true;
  }
  void Report(uint32_t vcpu) { Step(Endpoint(vcpu), HV_KIND_INJECTED, uint64_t{0}); }
  bool TakeAndReport(uint32_t vcpu) {
    if (!Take(vcpu)) return false;
    Report(vcpu);
    return true;
  }
  EventWord Pending(uint32_t vcpu) const { return EventWord(pages[vcpu].pending); }
  // What the vCPU is to take, without the generation; 0 when that has been taken already.
  uint64_t Offer(uint32_t vcpu) const {
    const EventWord pending = Pending(vcpu);
    return pending.generation() == EventWord(pages[vcpu].taken).generation() ? 0 : pending.events();
  }

  // The messages of `kind` among those the last step sent.
  std::vector<service::Outgoing> Sent(uint16_t kind) const {
    std::vector<service::Outgoing> found;
    for (const service::Outgoing& each : sent) {
      if (each.kind == kind) found.push_back(each);
    }
    return found;
  }

  uint64_t now_ns = 0;
  uint64_t wake_at_ns = service::kNever;
  bool refused = false;
  std::vector<service::Outgoing> sent;
  std::vector<int> wakes;  // by vCPU
  std::vector<hv_vcpu_page> pages;

 private:
  VcpuPages MakePages() {
    std::vector<hv_vcpu_page*> pointers;
    for (hv_vcpu_page& page : pages) pointers.push_back(&page);
    return VcpuPages(std::move(pointers), [this](uint32_t vcpu) { ++wakes[vcpu]; });
  }
  void Commit(const service::Actions& actions) {
    wake_at_ns = actions.wake_at_ns();
    sent.assign(actions.messages().begin(), actions.messages().end());
    core_.Project(bytes_.data());
  }

  MachineConfig config_;
  VcpuCore core_;
  std::vector<uint64_t> bytes_;
  uint32_t intas_ = 0;  // that vCPUs sent
};

}  // namespace hv::vcpu
