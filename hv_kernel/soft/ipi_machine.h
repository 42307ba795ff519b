// A machine whose vCPUs interrupt each other: what one writes to kPort is the vector that all
// others get. The rest of a run loop is left out.
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "hv_kernel/soft/test_memory.h"
#include "hv_kernel/soft/watchdog.h"

namespace hv::soft {

class IpiMachine : public TestMemory {
 public:
  static constexpr uint16_t kPort = 0x80;

  explicit IpiMachine(size_t vcpus) : vcpus_(vcpus) {
    for (Vcpu& vcpu : vcpus_) {
      vcpu.engine = engine().CreateVcpu({.attention = &vcpu.attention, .cpuid = {}}).value();
    }
    Poke<uint64_t>(kGdt + 8, 0x00af9b000000ffff);   // 64-bit code
    Poke<uint64_t>(kGdt + 16, 0x00cf93000000ffff);  // data
  }

  // An interrupt gate (SDM vol. 3, 6.14.1).
  void Handle(uint8_t vector, uint64_t handler) {
    Poke<uint64_t>(kIdt + vector * 16,
                   (handler & 0xffff) | 8 << 16 | 0x8eull << 40 | (handler >> 16 & 0xffff) << 48);
    Poke<uint64_t>(kIdt + vector * 16 + 8, handler >> 32);
  }

  // All at once, vCPU i from rips[i] with interrupts enabled, each to its HLT. False: one did not
  // come there.
  bool RunAll(const std::vector<uint64_t>& rips) {
    const Watchdog watchdog(vcpus_[0].attention);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < rips.size(); ++i) {
      threads.emplace_back([this, i, rip = rips[i]] {
        hv_vcpu_state state = LongMode();
        state.rip = rip;
        state.rflags |= 0x200;
        state.gpr[HV_RSP] = kStacks + i * 0x10000 + 0x8000;
        state.gdtr = {.base = kGdt, .limit = 23};
        state.idtr = {.base = kIdt, .limit = 0xfff};
        if (!vcpus_[i].engine->SetState(state).ok() || !RunOne(i)) EndAll();
      });
    }
    for (std::thread& thread : threads) thread.join();
    return !ended_;
  }

 private:
  static constexpr uint64_t kGdt = 0x8000, kIdt = 0x9000, kStacks = 0xf00000;

  struct Vcpu {
    std::unique_ptr<VcpuEngine> engine;
    std::atomic<uint32_t> attention{0};
    std::atomic<uint32_t> pending{0};  // a vector; 0: none
  };

  void EndAll() {
    ended_ = true;
    for (Vcpu& vcpu : vcpus_) vcpu.attention = 1;
  }

  bool RunOne(size_t which) {
    Vcpu& self = vcpus_[which];
    while (!ended_) {
      const Exit exit = self.engine->Run();
      switch (exit.reason) {
        case ExitReason::kHalt: return true;
        case ExitReason::kInterruptWindow: self.engine->RequestInterruptWindow(false); break;
        case ExitReason::kPortWrite:
          if (exit.address != kPort) return false;
          for (Vcpu& other : vcpus_) {
            if (&other == &self) continue;
            other.pending = static_cast<uint8_t>(exit.data);
            other.attention = 1;
          }
          break;
        case ExitReason::kAttention:
          // Before the look at `pending`: what comes later asks again.
          self.attention = 0;
          // Nobody interrupts vCPU 0 but the watchdog.
          if (self.pending == 0) return false;
          break;
        default: return false;
      }
      if (self.pending == 0) continue;
      if (self.engine->CanTakeInterrupt()) {
        self.engine->InjectInterrupt(static_cast<uint8_t>(self.pending.exchange(0)));
      } else {
        self.engine->RequestInterruptWindow(true);
      }
    }
    return false;
  }

  std::vector<Vcpu> vcpus_;
  std::atomic<bool> ended_{false};
};

}  // namespace hv::soft
