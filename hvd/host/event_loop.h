// hvd's one thread for what happens by itself: deaths of processes, timers.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "base/unique_fd.h"

namespace hv::hvd {

// Callbacks run on the loop's thread, one at a time, and must not block: other machines wait.
class EventLoop {
 public:
  using Id = uint64_t;
  static constexpr Id kNone = 0;  // never given out
  using Callback = std::function<void()>;
  using Clock = std::chrono::steady_clock;

  EventLoop();
  // Callbacks that did not run yet never will.
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Calls `ready` once, when `fd` is readable (a pidfd: when its process is dead). `fd` stays the
  // caller's and open until then or until Cancel.
  Id WhenReadable(int fd, Callback ready);
  Id After(std::chrono::nanoseconds delay, Callback due);
  Id Every(std::chrono::nanoseconds period, Callback due);

  // When this returns, the callback is not running and never will again, unless it is the caller
  // itself. REQUIRES: no lock is held that the callback takes. Ids that are done and kNone
  // are ignored.
  void Cancel(Id id);

 private:
  struct Entry {
    int fd = -1;  // or a timer
    Clock::time_point due;
    std::chrono::nanoseconds period{0};
    Callback callback;
  };

  Id Add(Entry entry);
  void Run();
  int TimeoutMs() const;
  void Fire(Id id, std::unique_lock<std::mutex>& lock);
  void Wake();

  UniqueFd epoll_;
  UniqueFd wake_;
  std::mutex mutex_;
  std::condition_variable fired_;
  std::map<Id, Entry> entries_;
  Id next_id_ = 1;
  Id running_ = kNone;  // whose callback is being called
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace hv::hvd
