// A gRPC channel over a socket that is already connected.
#pragma once

#include <fcntl.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <utility>

#include "base/unique_fd.h"

namespace hv::hvd {

inline std::shared_ptr<grpc::Channel> ChannelOver(UniqueFd connection) {
  fcntl(connection.get(), F_SETFL, fcntl(connection.get(), F_GETFL) | O_NONBLOCK);
  return grpc::CreateInsecureChannelFromFd("part", connection.Release());
}

}  // namespace hv::hvd
