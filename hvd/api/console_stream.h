// One client's Console.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <mutex>

#include "hvd/api/pulled_stream.h"
#include "hvd/machine/machine_registry.h"
#include "hvd/streams/console_hub.h"
#include "proto/hv/v1/machine.pb.h"

namespace hv::hvd {

// Deletes itself when the stream is done. The machine it is attached to may be deleted meanwhile;
// its console lives as long as this does.
class ConsoleStream final
    : public PulledStream<grpc::ServerBidiReactor<hv::v1::ConsoleRequest, hv::v1::ConsoleResponse>,
                          hv::v1::ConsoleResponse> {
 public:
  explicit ConsoleStream(const MachineRegistry& registry);

  void OnReadDone(bool ok) override;
  void OnDone() override;

 private:
  Pull Next(hv::v1::ConsoleResponse& item, grpc::Status& status) override;
  // What the last request asks; an error ends the stream.
  grpc::Status Obey();
  grpc::Status Attach(const hv::v1::ConsoleAttach& attach);
  // Types what is left of the last request; reads the next one when that is nothing.
  void TypeOn();

  const MachineRegistry& registry_;
  hv::v1::ConsoleRequest request_;
  std::mutex mutex_;  // what follows: reads and writes are different threads
  std::shared_ptr<Machine> machine_;
  ConsoleHub::ReaderId reader_ = 0;
  bool greeted_ = false;  // the first response has been given out
  std::string untyped_;   // of the last request
  bool typing_ = false;   // the next read waits for room to type
};

}  // namespace hv::hvd
