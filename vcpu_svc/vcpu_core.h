// vcpu_svc as a state machine: local APICs, MSRs, and what each vCPU takes next.
#pragma once

#include <cstdint>
#include <string>

#include "service/core.h"
#include "vcpu_svc/machine.h"

namespace hv::vcpu {

class VcpuCore final : public service::Core {
 public:
  using Config = MachineConfig;

  explicit VcpuCore(Config config) : config_(std::move(config)) {}

  size_t state_bytes() const override;
  uint32_t state_layout() const override { return 4; }
  void Reset(void* state, uint64_t now_ns, service::Actions& actions) const override;
  bool Handle(void* state, const service::Message& message, uint64_t now_ns,
              service::Actions& actions) const override;
  void Tick(void* state, uint64_t now_ns, service::Actions& actions) const override;
  void Project(const void* state) override;
  absl::StatusOr<std::string> Export(const void* state) const override;
  // InvalidArgument: says which field is out of range. `state` is then as it was.
  absl::Status Import(void* state, absl::string_view bytes) const override;

 private:
  Config config_;
};

}  // namespace hv::vcpu
