// Ends a guest that would run for ever, so that a defect fails a test instead of hanging it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace hv::soft {

// Sets the attention word when its time is up, unless it is gone by then, and calls `kick`. No test
// that passes gets anywhere near that time.
class Watchdog {
 public:
  explicit Watchdog(
      std::atomic<uint32_t>& attention, std::function<void()> kick = [] {})
      : thread_([this, &attention, kick = std::move(kick)] {
          std::unique_lock lock(mutex_);
          if (gone_.wait_for(lock, kPatience, [this] { return done_; })) return;
          attention = 1;
          kick();
        }) {}
  ~Watchdog() {
    {
      std::lock_guard lock(mutex_);
      done_ = true;
    }
    gone_.notify_one();
    thread_.join();
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  static constexpr std::chrono::seconds kPatience{20};

  std::mutex mutex_;
  std::condition_variable gone_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace hv::soft
