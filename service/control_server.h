// A gRPC server on one already connected socket: what a sandboxed process can still offer.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "base/unique_fd.h"

namespace grpc {
class Server;
class Service;
}  // namespace grpc

namespace hv::service {

// Serves the given services, the standard health service and reflection until destroyed. The
// threads belong to gRPC; handlers reach the poll loop through the Mailbox alone.
class ControlServer {
 public:
  ControlServer(const std::vector<grpc::Service*>& services, UniqueFd connection);
  ~ControlServer();

 private:
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace hv::service
