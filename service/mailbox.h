// How the control thread gets something done by the poll loop, between two steps.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "ring/wake.h"

namespace hv::service {

class Mailbox {
 public:
  // `wake` wakes the poll loop.
  explicit Mailbox(ring::Waker wake) : wake_(wake) {}

  // Any thread but the loop's: runs `job` on the loop's thread and waits for it. REQUIRES: the loop
  // runs until `job` is done.
  void Run(const std::function<void()>& job) {
    // Shared: the waiter may be gone before set_value() has returned.
    auto done = std::make_shared<std::promise<void>>();
    auto finished = done->get_future();
    {
      std::lock_guard lock(mutex_);
      jobs_.push_back([&job, done] {
        job();
        done->set_value();
      });
      waiting_.store(true, std::memory_order_release);
    }
    wake_.WakeAlways();
    finished.wait();
  }

  // The loop's thread. `waiting` is one load, cheap enough for every turn; pairs with Run's store.
  bool waiting() const { return waiting_.load(std::memory_order_acquire); }
  void Serve() {
    std::vector<std::function<void()>> jobs;
    {
      std::lock_guard lock(mutex_);
      jobs.swap(jobs_);
      waiting_.store(false, std::memory_order_relaxed);
    }
    for (auto& job : jobs) job();
  }

 private:
  ring::Waker wake_;
  std::atomic<bool> waiting_{false};
  std::mutex mutex_;
  std::vector<std::function<void()>> jobs_;
};

}  // namespace hv::service
