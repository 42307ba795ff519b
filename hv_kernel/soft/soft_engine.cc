#include "hv_kernel/soft/soft_engine.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "hv_kernel/slot_check.h"
#include "hv_kernel/soft/code_exchange.h"
#include "hv_kernel/soft/counters.h"
#include "hv_kernel/soft/host_fault.h"
#include "hv_kernel/soft/memory/physical_memory.h"
#include "hv_kernel/soft/soft_vcpu.h"

namespace hv::soft {
namespace {

constexpr uint64_t kPage = 4096;

absl::Status CheckHost() {
  __builtin_cpu_init();
  // PEXT and SARX compute addresses without touching flags; the guest is shown AVX state.
  if (!__builtin_cpu_supports("bmi2")) {
    return absl::FailedPreconditionError("soft engine: the host CPU has no BMI2");
  }
  if (!__builtin_cpu_supports("avx")) {
    return absl::FailedPreconditionError("soft engine: the host CPU has no AVX");
  }
  return absl::OkStatus();
}

class SoftEngine final : public Engine {
 public:
  explicit SoftEngine(const SoftOptions& options) : options_(options) {}

  std::string_view name() const override { return "soft"; }

  absl::Status SetMemory(std::span<const hv_memory_slot> slots, std::span<std::byte> ram,
                         std::atomic<uint64_t>* dirty_log) override {
    if (auto status = CheckSlots(slots, ram.size()); !status.ok()) return status;
    const auto count = static_cast<uint32_t>(slots.size());
    // Code translated from pages that stay where they are stays good.
    const bool same = ram.data() == ram_.data() && ram.size() == ram_.size() &&
                      memory_.SamePlaces(slots.data(), count);
    std::lock_guard lock(mutex_);
    for (SoftVcpu* vcpu : vcpus_) same ? vcpu->ForgetAddresses() : vcpu->ForgetMemory();
    if (!same) {
      code_holders_.assign(ram.size() / kPage, 0);
      exchange_.tracker().Use(code_holders_.data(), code_holders_.size());
    }
    ram_ = ram;
    memory_.Set(slots.data(), count, reinterpret_cast<uint8_t*>(ram.data()),
                reinterpret_cast<uint64_t*>(dirty_log));
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<VcpuEngine>> CreateVcpu(const VcpuConfig& config) override {
    auto vcpu = SoftVcpu::Create(config, memory_, exchange_, options_);
    if (!vcpu.ok()) return vcpu.status();
    std::lock_guard lock(mutex_);
    vcpus_.push_back(vcpu->get());
    return *std::move(vcpu);
  }

  std::vector<Counter> Counters() const override {
    std::lock_guard lock(mutex_);
    return CountersOf(vcpus_);
  }

 private:
  const SoftOptions options_;
  std::span<std::byte> ram_;
  PhysicalMemory memory_;
  std::vector<uint8_t> code_holders_;
  CodeExchange exchange_;
  mutable std::mutex mutex_;
  std::vector<SoftVcpu*> vcpus_;  // live as long as the engine: owned by the vCPU threads' loops
};

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> CreateSoftEngine(const SoftOptions& options) {
  if (auto status = CheckHost(); !status.ok()) return status;
  if (auto status = InstallFaultHandlers(); !status.ok()) return status;
  return std::make_unique<SoftEngine>(options);
}

}  // namespace hv::soft
