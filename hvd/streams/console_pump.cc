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
  hub_.SetPump([this] { Wake(); });
  thread_ = std::thread([this] { Run(); });
}

ConsolePump::~ConsolePump() {
  hub_.SetPump(nullptr);
  stopping_ = true;
  Wake();
  thread_.join();
}

void ConsolePump::PressPowerButton() {
  ++presses_;
  Wake();
}

void ConsolePump::Wake() {
  {
    std::lock_guard lock(mutex_);
    wanted_now_ = true;
  }
  wanted_.notify_one();
  waker_.WakeAlways();
}

void ConsolePump::Run() {
  prctl(PR_SET_NAME, "hvd console");
  while (true) {
    const bool stopping = stopping_;
    while (presses_ > 0 && port_.PressPowerButton()) --presses_;
    const uint64_t before = port_.position().taken;
    if (port_.Turn(hub_)) {
      if (port_.position().taken != before && !stopping) Gather();
      continue;
    }
    if (stopping && !port_.OutputWaiting()) return;
    Sleep();
  }
}

void ConsolePump::Gather() {
  std::unique_lock lock(mutex_);
  wanted_.wait_for(lock, kGather, [this] { return wanted_now_; });
  wanted_now_ = false;
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
