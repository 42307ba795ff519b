// hvctl's connection to hvd: calls as functions, failures as absl::Status.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/hv/v1/machine.grpc.pb.h"

namespace hv::cli {

using Stub = hv::v1::MachineService::Stub;

// The same code and, but for UNAVAILABLE, message. gRPC's and Abseil's codes are numbered alike.
absl::Status FromGrpc(const grpc::Status& status);

class HvdClient {
 public:
  // NotFound: nobody listens at `socket`. PermissionDenied: somebody else's. InvalidArgument: the
  // path cannot be a socket's.
  static absl::StatusOr<HvdClient> Connect(const std::string& socket);

  // One call: Call(&Stub::List, request). Unavailable: hvd has gone meanwhile.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                                const Request& request) {
    grpc::ClientContext context;
    Response response;
    const grpc::Status status = (stub_.get()->*method)(&context, request, &response);
    if (!status.ok()) return FromGrpc(status);
    return response;
  }

  Stub& stub() { return *stub_; }
  // For hvd's other services.
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  explicit HvdClient(std::shared_ptr<grpc::Channel> channel)
      : channel_(std::move(channel)), stub_(hv::v1::MachineService::NewStub(channel_)) {}
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Stub> stub_;
};

}  // namespace hv::cli
