// A callback that can be taken away from under those who call it.
#pragma once

#include <functional>
#include <mutex>

namespace hv::hvd {

// After Silence() returns the callback is not running and never will again. Thread-safe.
class Subscriber {
 public:
  explicit Subscriber(std::function<void()> callback) : callback_(std::move(callback)) {}

  void Notify() {
    std::lock_guard lock(mutex_);
    if (callback_) callback_();
  }
  // REQUIRES: not called from the callback.
  void Silence() {
    std::lock_guard lock(mutex_);
    callback_ = nullptr;
  }

 private:
  std::mutex mutex_;
  std::function<void()> callback_;
};

}  // namespace hv::hvd
