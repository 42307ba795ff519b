// One vCPU of the kvm engine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "hv_kernel/engine.h"
#include "hv_kernel/kvm/dirty_ring.h"
#include "hv_kernel/kvm/entry_gate.h"
#include "hv_kernel/kvm/run_page.h"
#include "hv_kernel/kvm/transfer.h"
#include "hv_kernel/kvm/vm.h"

namespace hv::kvm {

// An exit is one KVM_RUN and nothing else: what it asks for and what answers it is in the run page.
// KVM finishes an instruction only when it is entered again. Who wants to see its end without that
// (GetState, CanTakeInterrupt) has it finished by a KVM_RUN that does not enter the guest.
class KvmVcpu final : public VcpuEngine {
 public:
  // `vm` outlives it.
  static absl::StatusOr<std::unique_ptr<KvmVcpu>> Create(const VcpuConfig& config, Vm& vm);
  ~KvmVcpu() override;

  Exit Run() override;
  void Kick() override { (void)gate_.Kick(); }
  void CompleteRead(uint64_t value) override;
  void CompleteWrite() override;
  void CompleteWithFault() override;
  bool CanTakeInterrupt() const override;
  // Always: KVM has the latch that a CPU has. It holds an NMI until one can be taken, and of those
  // that come meanwhile one.
  bool CanTakeNmi() const override { return true; }
  void InjectInterrupt(uint8_t vector) override;
  void InjectNmi() override;
  void RequestInterruptWindow(bool on) override;
  void RequestNmiWindow(bool) override {}
  void GetState(hv_vcpu_state& state) const override;
  absl::Status SetState(const hv_vcpu_state& state) override;
  std::string Describe() const override;
  std::string BytesAtRip() const override;

  // While it is not in Run(): sets the bits of the pages that its ring holds.
  void CollectDirty();
  // Entries into KVM_RUN. Any thread.
  uint64_t entries() const { return entries_.load(std::memory_order_relaxed); }

 private:
  KvmVcpu(const VcpuConfig& config, Vm& vm, UniqueFd fd, RunPage run, DirtyRing ring);

  // `all`: no page that was written is missing in the log.
  void NoteCollected(bool all);

  Exit NextExit();
  std::optional<Exit> Enter();
  std::optional<Exit> TakeExit();
  std::optional<Exit> TakeMsr(bool write);
  bool Settle() const;
  int EnterKvm() const;
  void Abandon();
  absl::Status SetCpuid();
  absl::Status SetTscOffset();
  uint64_t GuestTsc() const;
  size_t FetchCode(uint8_t* bytes, size_t most) const;

  const VcpuConfig config_;
  Vm& vm_;
  const UniqueFd fd_;
  const RunPage run_;
  DirtyRing ring_;
  EntryGate gate_;
  bool cpuid_set_ = false;
  bool xsave_ = false;
  Transfer transfer_;
  ExitReason last_ = ExitReason::kAttention;
  bool answer_due_ = false;  // the loop has not completed the last exit yet
  // The run page holds an exit that Run() has not looked at yet.
  mutable bool exit_waits_ = false;
  // The run page's flags are not those of the next instruction: KVM has something to finish first.
  mutable bool unsettled_ = false;
  bool halted_ = false;
  bool shut_down_ = false;
  int failure_ = 0;   // errno of a KVM_RUN that failed
  uint64_t cr8_ = 0;  // as the loop knows it
  uint64_t tsc_offset_ = 0;
  uint64_t tsc_adjust_ = 0;
  std::atomic<uint64_t> entries_{0};
};

}  // namespace hv::kvm
