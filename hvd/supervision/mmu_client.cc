#include "hvd/supervision/mmu_client.h"

#include <chrono>
#include <thread>

#include "hvd/supervision/control_channel.h"
#include "proto/hv/v1/mmu_control.grpc.pb.h"

namespace hv::hvd {
namespace {

using Clock = std::chrono::steady_clock;
using Stub = hv::v1::MmuControl::Stub;

// A call takes well under a millisecond; a successor is there in tens of them, on a busy host
// later.
constexpr std::chrono::milliseconds kCallTimeout{2000};
constexpr std::chrono::milliseconds kRetryTimeout{5000};
constexpr std::chrono::milliseconds kRetryPoll{5};

template <typename Request, typename Response>
absl::StatusOr<Response> CallOnce(const MmuClient::Current& current,
                                  grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                               Response*),
                                  const Request& request) {
  const auto client = current();
  if (client == nullptr) return absl::UnavailableError("mmu_svc is being replaced");
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
  Response response;
  Stub stub(client->channel());
  if (auto status = StatusOfCall((stub.*method)(&context, request, &response)); !status.ok()) {
    return status;
  }
  return response;
}

template <typename Request, typename Response>
absl::StatusOr<Response> Call(const MmuClient::Current& current,
                              grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                           Response*),
                              const Request& request) {
  const auto deadline = Clock::now() + kRetryTimeout;
  for (;;) {
    auto response = CallOnce(current, method, request);
    if (!absl::IsUnavailable(response.status()) || Clock::now() > deadline) return response;
    std::this_thread::sleep_for(kRetryPoll);
  }
}

template <typename Request>
Request ForRange(uint64_t address, uint64_t bytes, bool on) {
  Request request;
  request.set_address(address);
  request.set_bytes(bytes);
  request.set_on(on);
  return request;
}

hv::v1::MmuReadPagesRequest From(uint64_t address) {
  hv::v1::MmuReadPagesRequest request;
  request.set_address(address);
  return request;
}

}  // namespace

absl::StatusOr<hv::v1::GuestMemory> MmuClient::GetMap() {
  return Call(current_, &Stub::GetMap, hv::v1::MmuGetMapRequest());
}

absl::StatusOr<hv::v1::GuestMemory> MmuClient::SetDirtyLogging(uint64_t address, uint64_t bytes,
                                                               bool on) {
  return Call(current_, &Stub::SetDirtyLogging,
              ForRange<hv::v1::MmuSetNotingRequest>(address, bytes, on));
}

absl::StatusOr<hv::v1::GuestMemory> MmuClient::SetWriteProtection(uint64_t address, uint64_t bytes,
                                                                  bool on) {
  return Call(current_, &Stub::SetWriteProtection,
              ForRange<hv::v1::MmuSetWriteProtectionRequest>(address, bytes, on));
}

absl::StatusOr<hv::v1::DirtyPages> MmuClient::ReadDirtyLog(uint64_t address) {
  return Call(current_, &Stub::ReadDirtyLog, From(address));
}

absl::Status MmuClient::ClearDirtyLog(const hv::v1::DirtyPages& pages) {
  return CallOnce(current_, &Stub::ClearDirtyLog, pages).status();
}

absl::StatusOr<hv::v1::GuestMemory> MmuClient::SetWriteWatch(uint64_t address, uint64_t bytes,
                                                             bool on) {
  return Call(current_, &Stub::SetWriteWatch,
              ForRange<hv::v1::MmuSetNotingRequest>(address, bytes, on));
}

absl::StatusOr<hv::v1::DirtyPages> MmuClient::ReadWrittenPages(uint64_t address) {
  return Call(current_, &Stub::ReadWrittenPages, From(address));
}

absl::Status MmuClient::RewatchPages(const hv::v1::DirtyPages& pages) {
  return CallOnce(current_, &Stub::RewatchPages, pages).status();
}

absl::StatusOr<hv::v1::Translation> MmuClient::Translate(
    const hv::v1::MmuTranslateRequest& request) {
  return Call(current_, &Stub::Translate, request);
}

}  // namespace hv::hvd
