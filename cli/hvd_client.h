// hvctl's connection to hvd: calls as functions, failures as absl::Status.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
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

  using Clock = std::chrono::steady_clock;
  // How long an hvd that has gone is waited for: it takes its machines over in well under a second.
  static constexpr std::chrono::seconds kPatience{10};
  // How another hvd is started when this one has gone. Without, somebody else does.
  void StartAgainWith(std::function<absl::Status()> start) { start_ = std::move(start); }
  // Waits until an hvd listens again, with which this client then speaks. False: none did within
  // kPatience after `gone_since`, or `cancelled`, asked often, says so. Any thread.
  bool AwaitReturn(Clock::time_point gone_since, const std::function<bool()>& cancelled) const;

 private:
  HvdClient(std::string socket, std::shared_ptr<grpc::Channel> channel)
      : socket_(std::move(socket)),
        channel_(std::move(channel)),
        stub_(hv::v1::MachineService::NewStub(channel_)) {}
  std::string socket_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Stub> stub_;
  std::function<absl::Status()> start_;
};

}  // namespace hv::cli
