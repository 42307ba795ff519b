// What happens to machines, told to everybody who watches.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "hvd/streams/subscriber.h"
#include "proto/hv/v1/machine.pb.h"

namespace hv::hvd {

// Thread-safe. Every watcher gets every event of its machine in the order of Publish, or, when it
// lets kQueued of them wait, is told that it has missed some.
class EventBus {
 public:
  static constexpr size_t kQueued = 4096;
  using WatcherId = uint64_t;
  enum class TakeResult { kEvent, kNothingYet, kMissed };

  // Stamps the event with the time and queues it.
  void Publish(hv::v1::Event event);

  // `machine` empty: all. What `current` returns is delivered first; it is called once the watcher
  // is registered, so that no change falls between. `ready` is called, from any thread, when there
  // is something to take.
  WatcherId Watch(std::string machine, std::function<std::vector<hv::v1::Event>()> current,
                  std::function<void()> ready);
  // After this `ready` is not running and never will again.
  void Unwatch(WatcherId id);
  TakeResult Take(WatcherId id, hv::v1::Event& event);

  size_t watchers() const;

 private:
  struct Watcher {
    std::string machine;
    std::deque<hv::v1::Event> queue;
    bool missed = false;
    bool complete = false;  // what was current has been put in front
    std::shared_ptr<Subscriber> subscriber;
  };

  mutable std::mutex mutex_;
  std::map<WatcherId, Watcher> watchers_;
  WatcherId next_id_ = 1;
};

// Unix time in nanoseconds.
int64_t UnixNowNs();

}  // namespace hv::hvd
