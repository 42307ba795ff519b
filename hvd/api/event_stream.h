// One client's WatchEvents.
#pragma once

#include <grpcpp/grpcpp.h>

#include "hvd/api/pulled_stream.h"
#include "hvd/machine/machine_registry.h"
#include "hvd/streams/event_bus.h"
#include "proto/hv/v1/machine.pb.h"

namespace hv::hvd {

// Deletes itself when the stream is done.
class EventStream final
    : public PulledStream<grpc::ServerWriteReactor<hv::v1::Event>, hv::v1::Event> {
 public:
  EventStream(EventBus& bus, const MachineRegistry& registry,
              const hv::v1::WatchEventsRequest& request);

  void OnDone() override;

 private:
  Pull Next(hv::v1::Event& item, grpc::Status& status) override;

  EventBus& bus_;
  std::mutex mutex_;  // watcher_ is needed before Watch has returned it
  EventBus::WatcherId watcher_ = 0;
};

}  // namespace hv::hvd
