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
  const auto pause = [this] { return misses_.empty() ? parts_.period : parts_.again; };
  while (!stopped_.wait_for(lock, pause(), [this] { return stopping_; })) {
    lock.unlock();
    AskAll();
    lock.lock();
  }
}

void ControlWatch::AskAll() {
  Misses misses;
  for (const Subject& subject : parts_.subjects()) {
    // One that is gone is seen by its death.
    if (!absl::IsDeadlineExceeded(subject.ask(parts_.timeout))) continue;
    const std::pair process(subject.endpoint, subject.epoch);
    const auto before = misses_.find(process);
    const int count = before == misses_.end() ? 1 : before->second + 1;
    if (count < kMisses) {
      misses[process] = count;
    } else {
      parts_.on_hang(subject.endpoint, subject.epoch);
    }
  }
  misses_ = std::move(misses);
}

}  // namespace hv::hvd
