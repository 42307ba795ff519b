// One vCPU of the soft engine: the outer loop around the dispatcher, and the register state.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "hv_kernel/engine.h"
#include "hv_kernel/soft/code_exchange.h"
#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/dispatcher.h"
#include "hv_kernel/soft/host_fault.h"
#include "hv_kernel/soft/soft_options.h"
#include "hv_kernel/soft/translate/translation_cache.h"

namespace hv::soft {

class SoftVcpu final : public VcpuEngine {
 public:
  static absl::StatusOr<std::unique_ptr<SoftVcpu>> Create(const VcpuConfig& config,
                                                          const PhysicalMemory& memory,
                                                          CodeExchange& exchange,
                                                          const SoftOptions& options);
  ~SoftVcpu() override;

  Exit Run() override;
  Exit RunHolding() override;
  void ReleaseRegisters() override;
  void CompleteRead(uint64_t value) override;
  void CompleteWrite() override;
  void CompleteWithFault() override;
  bool CanTakeInterrupt() const override;
  bool CanTakeNmi() const override;
  void InjectInterrupt(uint8_t vector) override;
  void InjectNmi() override;
  void RequestInterruptWindow(bool on) override { cpu_->want_interrupt_window = on; }
  void RequestNmiWindow(bool on) override { cpu_->want_nmi_window = on; }
  void GetState(hv_vcpu_state& state) const override;
  absl::Status SetState(const hv_vcpu_state& state) override;
  std::string Describe() const override;
  std::string BytesAtRip() const override;

  // The map of memory has changed: nothing derived from the old one may stay.
  void ForgetMemory();
  // Rights or logging of pages have changed, not where they are.
  void ForgetAddresses();

  const TranslationCache& cache() const { return *cache_; }
  const Dispatcher& dispatcher() const { return dispatcher_; }
  // How often a loop of PAUSE gave its core to whoever wants it. Any thread.
  uint64_t cores_given_away() const {
    return __atomic_load_n(&cpu_->cores_given_away, __ATOMIC_RELAXED);
  }

 private:
  struct Unmap {
    void operator()(Cpu* cpu) const;
  };
  using CpuMemory = std::unique_ptr<Cpu, Unmap>;

  SoftVcpu(CpuMemory cpu, CodeExchange& exchange, std::unique_ptr<TranslationCache> cache,
           uint8_t cold_turns);

  // What only code with all registers can do. False: cpu_->exit leaves.
  bool Satisfy(Need need);
  void Translate();
  void CleanUpCodeWrites();
  bool TakeHostFault();
  Exit NextWrite();
  bool Between() const;
  template <typename Delivery>
  void Deliver(Delivery delivery);
  void Retire();

  CpuMemory cpu_;
  CodeExchange& exchange_;
  std::shared_ptr<CodePeer> peer_;
  std::unique_ptr<TranslationCache> cache_;
  Dispatcher dispatcher_;
  const FaultContext fault_context_;
  bool shut_down_ = false;
};

}  // namespace hv::soft
