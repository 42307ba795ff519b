#include "hvd/host/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/check.h"
#include "hvd/host/time_slice.h"

namespace hv::hvd {
namespace {

constexpr EventLoop::Id kWakeId = EventLoop::kNone;

}  // namespace

EventLoop::EventLoop()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CHECK(epoll_.valid() && wake_.valid());
  epoll_event event{.events = EPOLLIN, .data = {.u64 = kWakeId}};
  CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) == 0);
  thread_ = std::thread([this] { Run(); });
}

EventLoop::~EventLoop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  Wake();
  thread_.join();
}

EventLoop::Id EventLoop::WhenReadable(int fd, Callback ready) {
  return Add({.fd = fd, .callback = std::move(ready)});
}

EventLoop::Id EventLoop::After(std::chrono::nanoseconds delay, Callback due) {
  return Add({.due = Clock::now() + delay, .callback = std::move(due)});
}

EventLoop::Id EventLoop::Every(std::chrono::nanoseconds period, Callback due) {
  return Add({.due = Clock::now() + period, .period = period, .callback = std::move(due)});
}

EventLoop::Id EventLoop::Add(Entry entry) {
  std::lock_guard lock(mutex_);
  const Id id = next_id_++;
  const int fd = entry.fd;
  entries_.emplace(id, std::move(entry));
  if (fd >= 0) {
    epoll_event event{.events = EPOLLIN | EPOLLONESHOT, .data = {.u64 = id}};
    CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
  } else {
    Wake();
  }
  return id;
}

void EventLoop::Cancel(Id id) {
  if (id == kNone) return;
  std::unique_lock lock(mutex_);
  if (const auto found = entries_.find(id); found != entries_.end()) {
    if (found->second.fd >= 0) {
      epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.fd, nullptr);
    }
    entries_.erase(found);
  }
  if (std::this_thread::get_id() == thread_.get_id()) return;
  fired_.wait(lock, [&] { return running_ != id; });
}

void EventLoop::Wake() {
  const uint64_t one = 1;
  // Full means that a wake-up is pending already.
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof(one));
}

int EventLoop::TimeoutMs() const {
  auto due = Clock::time_point::max();
  for (const auto& [id, entry] : entries_) {
    if (entry.fd < 0) due = std::min(due, entry.due);
  }
  if (due == Clock::time_point::max()) return -1;
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(wait, 0, 60'000));
}

void EventLoop::Fire(Id id, std::unique_lock<std::mutex>& lock) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;  // cancelled meanwhile
  Callback callback;
  if (found->second.period.count() > 0) {
    found->second.due = Clock::now() + found->second.period;
    callback = found->second.callback;
  } else {
    if (found->second.fd >= 0) {
      epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.fd, nullptr);
    }
    callback = std::move(found->second.callback);
    entries_.erase(found);
  }
  running_ = id;
  lock.unlock();
  callback();
  callback = nullptr;  // what it owns goes before Cancel returns
  lock.lock();
  running_ = kNone;
  fired_.notify_all();
}

void EventLoop::Run() {
  prctl(PR_SET_NAME, "hvd events");
  AskForTimeSlice(0, kPromptSlice);
  std::array<epoll_event, 16> events;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const int timeout = TimeoutMs();
    lock.unlock();
    const int count = epoll_wait(epoll_.get(), events.data(), events.size(), timeout);
    lock.lock();
    for (int i = 0; i < count && !stopping_; ++i) {
      if (events[i].data.u64 == kWakeId) {
        uint64_t value;
        [[maybe_unused]] const ssize_t got = read(wake_.get(), &value, sizeof(value));
      } else {
        Fire(events[i].data.u64, lock);
      }
    }
    const auto now = Clock::now();
    std::vector<Id> due;
    for (const auto& [id, entry] : entries_) {
      if (entry.fd < 0 && entry.due <= now) due.push_back(id);
    }
    for (Id id : due) {
      if (!stopping_) Fire(id, lock);
    }
  }
}

}  // namespace hv::hvd
