// A service's main: attach, sandbox, run.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "service/attachment.h"
#include "service/core.h"
#include "service/state_access.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace hv::service {

struct ServiceSpec {
  uint32_t role;  // abi/endpoint.h; the process takes the role's name
  // Makes the core from the manifest. Segments stay mapped for the life of the process.
  std::function<absl::StatusOr<std::unique_ptr<Core>>(const Attachment&)> make_core;
  // Further gRPC services beside ServiceControl, if any; made after the core. They reach its state
  // through the StateAccess, which outlives them.
  std::function<std::vector<std::unique_ptr<grpc::Service>>(const Attachment&, StateAccess&)>
      extra_services = nullptr;
  // Begins what works beside the loop, on threads of its own and to the end of the process; called
  // after make_core, before the loop runs. `committed`: the state a predecessor left; zeros in the
  // first process.
  std::function<absl::Status(Attachment&, const void* committed)> start_threads = nullptr;
  // The requests of ioctl(2) that they make: the system-call filter knows no other.
  std::span<const uint64_t> requests = {};
};

// Receives the manifest on descriptor 3, attaches, shuts the sandbox and runs until it is killed,
// or until nobody holds the other end of its control socket: a service outlives its supervisor as
// long as another may come. Returns main's exit status when it could not attach, with one line on
// standard error.
int RunService(const ServiceSpec& spec);

}  // namespace hv::service
