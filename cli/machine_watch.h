// Waits, beside other work, for the end of a machine.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "cli/hvd_client.h"

namespace hv::cli {

class MachineWatch {
 public:
  // Begins to watch, and goes on with the next hvd if one goes. `ended` is called once, from
  // another thread, when the machine has stopped, is gone, or no hvd can be asked any more; not
  // after the destructor began.
  MachineWatch(HvdClient& client, std::string machine, std::function<void()> ended);
  ~MachineWatch();

  // How the machine ended: waits for it. NotFound: it was deleted. Unavailable: hvd went away.
  absl::StatusOr<hv::v1::MachineExit> Wait();
  // What Wait would say, if it would not have to wait.
  std::optional<absl::StatusOr<hv::v1::MachineExit>> Result();

 private:
  void Run();
  // One stream of events, to its end; nothing if it has to be opened again. `heard`: whether
  // anything came.
  std::optional<absl::StatusOr<hv::v1::MachineExit>> Follow(bool& heard);
  bool cancelled();

  HvdClient& client_;
  const std::string machine_;
  const std::function<void()> ended_;
  std::mutex mutex_;
  std::condition_variable changed_;
  grpc::ClientContext* open_ = nullptr;  // of the stream that is open now
  bool cancelled_ = false;
  std::optional<absl::StatusOr<hv::v1::MachineExit>> result_;
  std::thread thread_;
};

}  // namespace hv::cli
