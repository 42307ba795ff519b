#include "hvd/streams/event_bus.h"

#include <chrono>

#include "base/check.h"

namespace hv::hvd {

int64_t UnixNowNs() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

void EventBus::Publish(hv::v1::Event event) {
  event.set_unix_ns(UnixNowNs());
  std::vector<std::shared_ptr<Subscriber>> subscribers;
  {
    std::lock_guard lock(mutex_);
    for (auto& [id, watcher] : watchers_) {
      if (!watcher.machine.empty() && watcher.machine != event.machine()) continue;
      if (watcher.queue.size() < kQueued) {
        watcher.queue.push_back(event);
      } else {
        watcher.missed = true;
      }
      subscribers.push_back(watcher.subscriber);
    }
  }
  for (const auto& subscriber : subscribers) subscriber->Notify();
}

EventBus::WatcherId EventBus::Watch(std::string machine,
                                    std::function<std::vector<hv::v1::Event>()> current,
                                    std::function<void()> ready) {
  const auto subscriber = std::make_shared<Subscriber>(std::move(ready));
  WatcherId id;
  {
    std::lock_guard lock(mutex_);
    id = next_id_++;
    watchers_[id] = {.machine = std::move(machine), .subscriber = subscriber};
  }
  const std::vector<hv::v1::Event> first = current ? current() : std::vector<hv::v1::Event>();
  {
    std::lock_guard lock(mutex_);
    Watcher& watcher = watchers_.at(id);
    watcher.queue.insert(watcher.queue.begin(), first.begin(), first.end());
    watcher.complete = true;
  }
  subscriber->Notify();
  return id;
}

void EventBus::Unwatch(WatcherId id) {
  std::shared_ptr<Subscriber> subscriber;
  {
    std::lock_guard lock(mutex_);
    const auto found = watchers_.find(id);
    if (found == watchers_.end()) return;
    subscriber = found->second.subscriber;
    watchers_.erase(found);
  }
  subscriber->Silence();
}

EventBus::TakeResult EventBus::Take(WatcherId id, hv::v1::Event& event) {
  std::lock_guard lock(mutex_);
  const auto found = watchers_.find(id);
  CHECK(found != watchers_.end());
  Watcher& watcher = found->second;
  if (!watcher.complete) return TakeResult::kNothingYet;
  if (watcher.queue.empty()) return watcher.missed ? TakeResult::kMissed : TakeResult::kNothingYet;
  event = std::move(watcher.queue.front());
  watcher.queue.pop_front();
  return TakeResult::kEvent;
}

size_t EventBus::watchers() const {
  std::lock_guard lock(mutex_);
  return watchers_.size();
}

}  // namespace hv::hvd
