// A gRPC server for whoever is handed over: what a sandboxed process, which can neither listen nor
// accept, still offers.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"

namespace grpc {
class Server;
class Service;
}  // namespace grpc

namespace hv::service {

// Serves the given services, the standard health service and reflection until destroyed. The
// threads belong to gRPC; handlers reach the poll loop through the Mailbox alone.
class ControlServer {
 public:
  explicit ControlServer(const std::vector<grpc::Service*>& services);
  ~ControlServer();

  // Serves each connection that comes over `socket`: a SOCK_SEQPACKET socket, each message of which
  // carries connected stream sockets. Returns when nobody holds the other end any more, so that
  // nobody will ever connect again.
  void ServeAllFrom(int socket);

 private:
  std::unique_ptr<grpc::Server> server_;
};

// Hands over the connected socket `connection` to whoever serves the other end of `socket`.
// Unavailable: nobody does.
absl::Status SendConnection(int socket, int connection);

}  // namespace hv::service
