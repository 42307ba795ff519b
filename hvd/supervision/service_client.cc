#include "hvd/supervision/service_client.h"

#include "hvd/supervision/control_channel.h"
#include "proto/hv/v1/service_control.grpc.pb.h"

namespace hv::hvd {

struct ServiceClient::Stub {
  explicit Stub(std::shared_ptr<grpc::Channel> over)
      : channel(std::move(over)), rpc(hv::v1::ServiceControl::NewStub(channel)) {}
  const std::shared_ptr<grpc::Channel> channel;
  const std::unique_ptr<hv::v1::ServiceControl::Stub> rpc;
};

ServiceClient::ServiceClient(UniqueFd connection)
    : stub_(new Stub(ChannelOver(std::move(connection)))) {}

ServiceClient::~ServiceClient() = default;

std::shared_ptr<grpc::Channel> ServiceClient::channel() const { return stub_->channel; }

absl::StatusOr<hv::v1::DescribeResponse> ServiceClient::Describe(
    std::chrono::milliseconds timeout) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  hv::v1::DescribeResponse response;
  const auto status = StatusOfCall(stub_->rpc->Describe(&context, {}, &response));
  if (!status.ok()) return status;
  return response;
}

absl::Status ServiceClient::AwaitAnswer(std::chrono::milliseconds timeout) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  hv::v1::StatsResponse response;
  return StatusOfCall(stub_->rpc->Stats(&context, {}, &response));
}

absl::Status ServiceClient::AwaitLoop(std::chrono::milliseconds timeout) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  hv::v1::ResumeResponse response;
  // Resume runs on the loop's thread and changes nothing in a service that was never quiesced.
  return StatusOfCall(stub_->rpc->Resume(&context, {}, &response));
}

}  // namespace hv::hvd
