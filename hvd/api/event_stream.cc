#include "hvd/api/event_stream.h"

namespace hv::hvd {

EventStream::EventStream(EventBus& bus, const MachineRegistry& registry,
                         const hv::v1::WatchEventsRequest& request)
    : bus_(bus) {
  const auto current = [&] {
    std::vector<hv::v1::Event> events;
    if (!request.include_current()) return events;
    for (const auto& machine : registry.All()) {
      hv::v1::Event event = machine->CurrentEvent();
      if (request.name().empty() || event.machine() == request.name()) {
        events.push_back(std::move(event));
      }
    }
    events.emplace_back().set_kind(hv::v1::EVENT_KIND_CURRENT_END);
    return events;
  };
  const auto watcher = bus_.Watch(request.name(), current, [this] { Poke(); });
  {
    std::lock_guard lock(mutex_);
    watcher_ = watcher;
  }
  Poke();  // earlier ones found no watcher
}

EventStream::Pull EventStream::Next(hv::v1::Event& item, grpc::Status& status) {
  {
    std::lock_guard lock(mutex_);
    if (watcher_ == 0) return Pull::kNothingYet;
  }
  switch (bus_.Take(watcher_, item)) {
    case EventBus::TakeResult::kEvent: return Pull::kItem;
    case EventBus::TakeResult::kNothingYet: return Pull::kNothingYet;
    case EventBus::TakeResult::kMissed: break;
  }
  status = grpc::Status(grpc::StatusCode::ABORTED,
                        "events were missed: watch again with include_current");
  return Pull::kEnd;
}

void EventStream::OnDone() {
  bus_.Unwatch(watcher_);
  delete this;
}

}  // namespace hv::hvd
