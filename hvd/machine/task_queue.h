// One thread that does one thing after the other: the order in which a machine is changed.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

namespace hv::hvd {

class TaskQueue {
 public:
  TaskQueue();
  // Does what is queued, then ends. REQUIRES: not called from a task.
  ~TaskQueue();

  // Any thread, a task included.
  void Post(std::function<void()> task);

  // Any thread but the queue's: does `task` after all that was posted before and returns its
  // result.
  template <typename Task>
  auto Run(Task task) -> decltype(task()) {
    std::packaged_task<decltype(task())()> packaged(std::move(task));
    auto result = packaged.get_future();
    Post([&packaged] { packaged(); });
    return result.get();
  }

 private:
  void Work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace hv::hvd
