// A guest CPU that leaves the guest as a test wrote it down and remembers what was done to it.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hv_kernel/engine.h"

namespace hv {

class FakeVcpu : public VcpuEngine {
 public:
  Exit RunHolding() override {
    if (before_run) before_run();
    holding = true;
    return Run();
  }
  void ReleaseRegisters() override { holding = false; }
  Exit Run() override {
    ++runs;
    if (script.empty()) return past_script();
    const Exit exit = script.front();
    script.pop_front();
    return exit;
  }

  void CompleteRead(uint64_t value) override { read = value; }
  void CompleteWrite() override { ++writes; }
  void CompleteWithFault() override { ++faults; }

  bool CanTakeInterrupt() const override { return takes_interrupts; }
  bool CanTakeNmi() const override { return takes_nmis; }
  void InjectInterrupt(uint8_t vector) override { interrupts.push_back(vector); }
  void InjectNmi() override { ++nmis; }
  void RequestInterruptWindow(bool on) override { interrupt_window = on; }
  void RequestNmiWindow(bool on) override { nmi_window = on; }

  void GetState(hv_vcpu_state& to) const override {
    misused |= holding;
    to = state;
  }
  absl::Status SetState(const hv_vcpu_state& from) override {
    misused |= holding;
    state = from;
    return absl::OkStatus();
  }
  std::string Describe() const override {
    misused |= holding;
    return "what the engine says";
  }
  std::string BytesAtRip() const override {
    misused |= holding;
    return "\x0f\x0b";
  }

  std::deque<Exit> script;
  std::function<Exit()> past_script = [] { return Exit{ExitReason::kAttention}; };
  std::function<void()> before_run;
  int runs = 0;
  bool holding = false;          // the guest's extended state is in the registers
  mutable bool misused = false;  // called for what needs them released while they were held

  std::optional<uint64_t> read;
  int writes = 0;
  int faults = 0;

  bool takes_interrupts = true;
  bool takes_nmis = true;
  std::vector<uint8_t> interrupts;
  int nmis = 0;
  bool interrupt_window = false;
  bool nmi_window = false;
  hv_vcpu_state state{};
};

}  // namespace hv
