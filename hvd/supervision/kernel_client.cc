#include "hvd/supervision/kernel_client.h"

#include <sys/prctl.h>

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "hvd/supervision/control_channel.h"
#include "proto/hv/v1/kernel_control.grpc.pb.h"

namespace hv::hvd {
namespace {

// hv_kernel answers in microseconds; a vCPU leaves its guest in milliseconds, or when the service
// it waits for has been replaced.
constexpr std::chrono::milliseconds kTimeout{5000};

}  // namespace

struct KernelClient::Rpc {
  std::unique_ptr<hv::v1::KernelControl::Stub> stub;
  grpc::ClientContext watch;
  std::atomic<bool> ending{false};
  std::thread watcher;

  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (hv::v1::KernelControl::Stub::*method)(grpc::ClientContext*,
                                                                        const Request&, Response*),
                    const Request& request, Response& response,
                    std::chrono::milliseconds timeout = kTimeout) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + timeout);
    absl::Status status = StatusOfCall(((*stub).*method)(&context, request, &response));
    if (!absl::IsDeadlineExceeded(status)) return status;
    return absl::DeadlineExceededError(absl::StrCat(
        "hv_kernel did not answer within ", timeout.count(),
        " ms; a vCPU may be waiting for a service that does not answer: look for it with "
        "hvctl services"));
  }
};

KernelClient::KernelClient(UniqueFd connection) : rpc_(std::make_unique<Rpc>()) {
  rpc_->stub = hv::v1::KernelControl::NewStub(ChannelOver(std::move(connection)));
}

KernelClient::~KernelClient() {
  rpc_->ending = true;
  rpc_->watch.TryCancel();
  if (rpc_->watcher.joinable()) rpc_->watcher.join();
}

absl::StatusOr<hv::v1::DescribeResponse> KernelClient::Describe(std::chrono::milliseconds timeout) {
  hv::v1::DescribeResponse response;
  const auto status = rpc_->Call(&hv::v1::KernelControl::Stub::Describe, hv::v1::DescribeRequest(),
                                 response, timeout);
  if (!status.ok()) return status;
  return response;
}

absl::Status KernelClient::Start() {
  hv::v1::KernelStartResponse response;
  return rpc_->Call(&hv::v1::KernelControl::Stub::Start, hv::v1::KernelStartRequest(), response);
}

absl::Status KernelClient::Pause() {
  hv::v1::KernelPauseResponse response;
  return rpc_->Call(&hv::v1::KernelControl::Stub::Pause, hv::v1::KernelPauseRequest(), response);
}

absl::Status KernelClient::Resume() {
  hv::v1::KernelResumeResponse response;
  return rpc_->Call(&hv::v1::KernelControl::Stub::Resume, hv::v1::KernelResumeRequest(), response);
}

absl::Status KernelClient::ReloadMap() {
  hv::v1::KernelReloadMapResponse response;
  return rpc_->Call(&hv::v1::KernelControl::Stub::ReloadMap, hv::v1::KernelReloadMapRequest(),
                    response);
}

absl::StatusOr<std::string> KernelClient::GetRegisters(uint32_t vcpu) {
  hv::v1::KernelGetRegistersRequest request;
  request.set_vcpu(vcpu);
  hv::v1::KernelGetRegistersResponse response;
  const auto status = rpc_->Call(&hv::v1::KernelControl::Stub::GetRegisters, request, response);
  if (!status.ok()) return status;
  return std::move(*response.mutable_vcpu_state());
}

absl::StatusOr<hv::v1::KernelGetStatsResponse> KernelClient::GetStats() {
  hv::v1::KernelGetStatsResponse response;
  const auto status =
      rpc_->Call(&hv::v1::KernelControl::Stub::GetStats, hv::v1::KernelGetStatsRequest(), response);
  if (!status.ok()) return status;
  return response;
}

void KernelClient::WatchExit(std::function<void(absl::StatusOr<hv::v1::KernelExit>)> stopped) {
  rpc_->watcher = std::thread([rpc = rpc_.get(), stopped = std::move(stopped)] {
    prctl(PR_SET_NAME, "hvd exit watch");
    const auto reader = rpc->stub->WatchExit(&rpc->watch, {});
    hv::v1::KernelExit exit;
    if (reader->Read(&exit)) {
      if (!rpc->ending) stopped(std::move(exit));
      return;
    }
    const absl::Status end = StatusOfCall(reader->Finish());
    if (rpc->ending) return;
    stopped(end.ok() ? absl::UnavailableError("the exit watch ended without an exit") : end);
  });
}

}  // namespace hv::hvd
