#include "hvd/streams/console_pump.h"

#include <sys/prctl.h>

namespace hv::hvd {
namespace {

// Bounds what a hostile peer's meddling with the wake word can cost, and how late a reader that
// takes nothing is noticed.
constexpr uint64_t kLongestSleepNs = 500'000'000;

}  // namespace

ConsolePump::ConsolePump(HostPort port, ConsoleHub& hub)
    : port_(std::move(port)), hub_(hub), waker_(port_.self_waker()) {
  hub_.Append("", port_.position());
  hub_.SetPump([this] { waker_.WakeAlways(); });
  thread_ = std::thread([this] { Run(); });
}

ConsolePump::~ConsolePump() {
  hub_.SetPump(nullptr);
  stopping_ = true;
  waker_.WakeAlways();
  thread_.join();
}

void ConsolePump::PressPowerButton() {
  ++presses_;
  waker_.WakeAlways();
}

void ConsolePump::Run() {
  prctl(PR_SET_NAME, "hvd console");
  while (true) {
    const bool stopping = stopping_;
    while (presses_ > 0 && port_.PressPowerButton()) --presses_;
    if (port_.Turn(hub_)) continue;
    if (stopping && !port_.OutputWaiting()) return;
    Sleep();
  }
}

void ConsolePump::Sleep() {
  ring::Sleeper sleeper = port_.sleeper();
  const uint32_t word = sleeper.Declare();
  // What was published before the declaration did not wake us. What this thread cannot move now
  // (output without room, input without credit) is announced by a wake-up later.
  if (port_.Turn(hub_) || (stopping_ && !port_.OutputWaiting())) {
    sleeper.Cancel();
    return;
  }
  sleeper.Sleep(word, kLongestSleepNs);
}

}  // namespace hv::hvd
