// vcpu_svc as a state machine: local APICs, MSRs, and what each vCPU takes next.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "abi/vcpu_page.h"
#include "service/core.h"
#include "vcpu_svc/local_apic.h"
#include "vcpu_svc/msr_table.h"

namespace hv::vcpu {

// Plain data: one for each vCPU in the state segment.
struct VcpuState {
  LocalApicState apic;
  uint64_t msr[kStoredMsrs];
  uint64_t published;         // the word in the vCPU page
  uint32_t taken_generation;  // of what the vCPU took last, as far as known here
  uint8_t nmi_pending;
  uint8_t init_pending;
  uint8_t sipi_pending;
  uint8_t sipi_vector;
  uint8_t waits_for_sipi;
  uint8_t reserved[7];
};

struct MachineState {
  uint32_t intr_asserted;  // the 8259 pair's output
  uint32_t intr_vector;
  uint32_t ignored_smis;
  uint32_t round_robin;  // lowest-priority delivery starts its search here
  VcpuState vcpu[];      // as many as the machine has
};

class VcpuCore final : public service::Core {
 public:
  struct Config {
    uint32_t cpus;
    uint64_t tsc_hz;
    bool intel;
    // By vCPU. Empty in tests that look at the state alone.
    std::vector<hv_vcpu_page*> pages;
    std::function<void(uint32_t vcpu)> wake;
  };

  explicit VcpuCore(Config config);

  size_t state_bytes() const override;
  uint32_t state_layout() const override { return 1; }
  void Reset(void* state, uint64_t now_ns, service::Actions& actions) const override;
  bool Handle(void* state, const service::Message& message, uint64_t now_ns,
              service::Actions& actions) const override;
  void Tick(void* state, uint64_t now_ns, service::Actions& actions) const override;
  void Project(const void* state) override;
  absl::StatusOr<std::string> Export(const void* state) const override;
  absl::Status Import(void* state, absl::string_view bytes) const override;

  // The event word of a vCPU, for tests.
  static uint64_t Published(const void* state, uint32_t vcpu);

 private:
  class Step;

  Config config_;
};

}  // namespace hv::vcpu
