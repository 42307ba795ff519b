// gRPC calls by method name and wire bytes, for services whose stubs are not at hand.
#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace hv::service {

// Sends one request and returns the first answer. Works for unary and for bidirectional methods.
absl::StatusOr<std::string> CallByName(const std::shared_ptr<grpc::Channel>& channel,
                                       const std::string& method, const std::string& request);

}  // namespace hv::service
