#include "hv_kernel/run_control.h"

#include <chrono>
#include <utility>

namespace hv {

RunControl::RunControl(uint32_t vcpus, std::function<void()> kick)
    : kick_(std::move(kick)), alive_(vcpus) {}

void RunControl::Resume() {
  std::lock_guard lock(mutex_);
  if (mode_ != Mode::kPaused) return;
  mode_ = Mode::kRunning;
  running_.store(true, std::memory_order_relaxed);
  changed_.notify_all();
}

void RunControl::Pause() {
  std::unique_lock lock(mutex_);
  if (mode_ == Mode::kRunning) {
    mode_ = Mode::kPaused;
    running_.store(false, std::memory_order_relaxed);
  }
  kick_();
  changed_.wait(lock, [this] { return parked_ == alive_; });
}

void RunControl::Stop(StopReport report) { ReportStop(std::move(report)); }

bool RunControl::paused() const {
  std::lock_guard lock(mutex_);
  return mode_ == Mode::kPaused;
}

std::optional<StopReport> RunControl::WaitUntilStopped(const std::function<bool()>& give_up) {
  constexpr std::chrono::milliseconds kLook{100};
  std::unique_lock lock(mutex_);
  while (
      !changed_.wait_for(lock, kLook, [this] { return mode_ == Mode::kStopping && alive_ == 0; })) {
    if (give_up()) return std::nullopt;
  }
  return report_;
}

std::optional<StopReport> RunControl::stopped() const {
  std::lock_guard lock(mutex_);
  return mode_ == Mode::kStopping && alive_ == 0 ? report_ : std::nullopt;
}

bool RunControl::Proceed() {
  if (running()) return true;
  std::unique_lock lock(mutex_);
  if (mode_ == Mode::kPaused) {
    ++parked_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return mode_ != Mode::kPaused; });
    --parked_;
  }
  return mode_ == Mode::kRunning;
}

void RunControl::ReportStop(StopReport report) {
  std::lock_guard lock(mutex_);
  if (mode_ == Mode::kStopping) return;
  mode_ = Mode::kStopping;
  stopping_.store(true, std::memory_order_relaxed);
  running_.store(false, std::memory_order_relaxed);
  report_ = std::move(report);
  kick_();
  changed_.notify_all();
}

void RunControl::Leave() {
  std::lock_guard lock(mutex_);
  --alive_;
  changed_.notify_all();
}

}  // namespace hv
