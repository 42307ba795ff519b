#include "hvd/supervision/control_watch.h"

#include <utility>

namespace hv::hvd {

ControlWatch::ControlWatch(Parts parts) : parts_(std::move(parts)), thread_([this] { Run(); }) {}

ControlWatch::~ControlWatch() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

void ControlWatch::Run() {
  std::unique_lock lock(mutex_);
  while (!stopped_.wait_for(lock, parts_.period, [this] { return stopping_; })) {
    lock.unlock();
    for (const Subject& subject : parts_.subjects()) Ask(subject);
    lock.lock();
  }
}

void ControlWatch::Ask(const Subject& subject) {
  const std::pair process(subject.endpoint, subject.epoch);
  // One that is gone is seen by its death.
  if (!absl::IsDeadlineExceeded(subject.ask(parts_.timeout))) {
    misses_.erase(process);
    return;
  }
  if (++misses_[process] < kMisses) return;
  misses_.erase(process);
  parts_.on_hang(subject.endpoint, subject.epoch);
}

}  // namespace hv::hvd
