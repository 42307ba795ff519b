// A gRPC channel over a socket that is already connected, and what its calls come back with.
#pragma once

#include <fcntl.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "base/unique_fd.h"
#include "service/grpc_status.h"

namespace hv::hvd {

inline std::shared_ptr<grpc::Channel> ChannelOver(UniqueFd connection) {
  fcntl(connection.get(), F_SETFL, fcntl(connection.get(), F_GETFL) | O_NONBLOCK);
  return grpc::CreateInsecureChannelFromFd("part", connection.Release());
}

// What an answer's status says. A connection that breaks in the middle of a call makes gRPC call it
// cancelled; nobody here cancels a call whose status is looked at.
inline absl::Status StatusOfCall(const grpc::Status& status) {
  if (status.error_code() == grpc::StatusCode::CANCELLED) {
    return absl::UnavailableError("the process is gone");
  }
  return service::FromGrpc(status);
}

}  // namespace hv::hvd
