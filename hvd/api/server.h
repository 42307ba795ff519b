// The gRPC server on hvd's socket: MachineService, health and reflection.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "hvd/machine/machine_registry.h"
#include "hvd/streams/event_bus.h"

namespace hv::hvd {

class Server {
 public:
  // Listens on the Unix socket `path` with mode 0600. REQUIRES: `path` is claimed (SocketClaim); no
  // other thread makes files meanwhile (the umask is changed for the moment).
  static absl::StatusOr<std::unique_ptr<Server>> Listen(const std::string& path,
                                                        MachineRegistry& registry,
                                                        EventBus& events);
  // Takes no new calls, gives those in hand a moment, cancels the rest.
  ~Server();

 private:
  struct Grpc;
  explicit Server(std::unique_ptr<Grpc> grpc);
  std::unique_ptr<Grpc> grpc_;
};

}  // namespace hv::hvd
