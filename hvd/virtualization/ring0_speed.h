// How fast a KVM runs ring 0: which loops to run, and what the time they take says.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

namespace hv::hvd {

enum class LoopEnd {
  kHalted,     // ran to its HLT
  kOutOfTime,  // was stopped
  kFailed,     // ended in any other way
};

struct LoopRun {
  LoopEnd end = LoopEnd::kFailed;
  int64_t cpu_ns = 0;  // processor time of the vCPU's thread, guest and host together
};

struct Ring0Speed {
  double mips = 0;       // millions of instructions each second
  bool at_most = false;  // the loop was stopped: it ran no faster than `mips`
};

// Instructions of one iteration: DEC, JNZ.
inline constexpr uint64_t kInstructionsPerIteration = 2;

// Runs loops that grow until one has taken a quarter of a millisecond and four times what entering
// the guest costs, and that one twice; the fastest counts. So neither hides that cost a real CPU's
// speed (where virtualization is nested it is some hundred microseconds) nor does an interpreter
// take long: at any speed from 1 MIPS on, with entries of up to 50 us, all ends within 5 ms.
// Processor time is asked for because a busy host must not make a real KVM look slow; where that
// host is itself a guest, its own host's doings count all the same, hence twice. `run` runs the
// loop that many times. None: a loop failed.
std::optional<Ring0Speed> MeasureRing0Speed(const std::function<LoopRun(uint64_t iterations)>& run);

}  // namespace hv::hvd
