#include "service/service_control.h"

#include <unistd.h>

#include <utility>

#include "abi/version.h"
#include "absl/strings/str_cat.h"
#include "service/grpc_status.h"

namespace hv::service {
namespace {

const char kNotQuiesced[] = "the service is running; call Quiesce first";

}  // namespace

ServiceControl::ServiceControl(Identity identity, LiveCommitter& committer, PollLoop& loop,
                               Mailbox& mailbox, Clock& clock, FaultPoints faults)
    : identity_(std::move(identity)),
      committer_(committer),
      loop_(loop),
      mailbox_(mailbox),
      clock_(clock),
      faults_(faults) {}

grpc::Status ServiceControl::Describe(grpc::ServerContext*, const hv::v1::DescribeRequest*,
                                      hv::v1::DescribeResponse* response) {
  faults_.Reach(HV_FAULT_POINT_CONTROL, HV_KIND_NONE);
  response->set_name(identity_.name);
  response->set_endpoint(identity_.endpoint);
  response->set_epoch(identity_.epoch);
  response->set_abi_major(HV_ABI_MAJOR);
  response->set_abi_minor(HV_ABI_MINOR);
  response->set_state_layout(committer_.core().state_layout());
  response->set_state_bytes(committer_.core().state_bytes());
  response->mutable_maps()->Assign(identity_.maps.begin(), identity_.maps.end());
  response->mutable_sandbox()->Assign(identity_.sandbox.begin(), identity_.sandbox.end());
  response->mutable_sandbox_missing()->Assign(identity_.sandbox_missing.begin(),
                                              identity_.sandbox_missing.end());
  response->set_pid(getpid());
  return grpc::Status::OK;
}

grpc::Status ServiceControl::Stats(grpc::ServerContext*, const hv::v1::StatsRequest*,
                                   hv::v1::StatsResponse* response) {
  faults_.Reach(HV_FAULT_POINT_CONTROL, HV_KIND_NONE);
  const hv_state_header& header = committer_.state().header();
  response->set_received(ring::LoadRelaxed(header.received));
  response->set_sent(ring::LoadRelaxed(header.sent));
  for (const uint64_t& refused : header.refused) {
    response->set_refused(response->refused() + ring::LoadRelaxed(refused));
  }
  response->set_steps(ring::LoadAcquire(header.commit));  // pairs with StateSegment::Commit
  response->set_heartbeat(ring::LoadRelaxed(header.heartbeat));
  response->set_waiting(ring::LoadRelaxed(header.waiting) != 0);
  return grpc::Status::OK;
}

grpc::Status ServiceControl::Quiesce(grpc::ServerContext*, const hv::v1::QuiesceRequest*,
                                     hv::v1::QuiesceResponse*) {
  faults_.Reach(HV_FAULT_POINT_CONTROL, HV_KIND_NONE);
  mailbox_.Run([this] { loop_.Quiesce(); });
  return grpc::Status::OK;
}

grpc::Status ServiceControl::Resume(grpc::ServerContext*, const hv::v1::ResumeRequest*,
                                    hv::v1::ResumeResponse*) {
  faults_.Reach(HV_FAULT_POINT_CONTROL, HV_KIND_NONE);
  mailbox_.Run([this] { loop_.Resume(); });
  return grpc::Status::OK;
}

grpc::Status ServiceControl::ExportState(grpc::ServerContext*, const hv::v1::ExportStateRequest*,
                                         hv::v1::ExportStateResponse* response) {
  faults_.Reach(HV_FAULT_POINT_CONTROL, HV_KIND_NONE);
  absl::StatusOr<std::string> state = absl::FailedPreconditionError(kNotQuiesced);
  mailbox_.Run([&] {
    if (loop_.quiesced()) {
      state = committer_.core().Export(committer_.state().current_state());
    }
  });
  if (!state.ok()) return ToGrpc(state.status());
  response->set_role(HV_ENDPOINT_ROLE(identity_.endpoint));
  response->set_version(committer_.core().state_layout());
  response->set_state(*std::move(state));
  return grpc::Status::OK;
}

grpc::Status ServiceControl::ImportState(grpc::ServerContext*,
                                         const hv::v1::ImportStateRequest* request,
                                         hv::v1::ImportStateResponse*) {
  faults_.Reach(HV_FAULT_POINT_CONTROL, HV_KIND_NONE);
  const uint32_t role = HV_ENDPOINT_ROLE(identity_.endpoint);
  if (request->role() != role) {
    return ToGrpc(absl::InvalidArgumentError(
        absl::StrCat("role: the state is of role ", request->role(), ", this is role ", role)));
  }
  const uint32_t layout = committer_.core().state_layout();
  if (request->version() == 0 || request->version() > layout) {
    return ToGrpc(absl::InvalidArgumentError(
        absl::StrCat("version: the state is of version ", request->version(),
                     ", this process reads versions 1 to ", layout)));
  }
  absl::Status status = absl::FailedPreconditionError(kNotQuiesced);
  mailbox_.Run([&] {
    if (loop_.quiesced()) status = committer_.Import(request->state(), clock_.NowNs());
  });
  return ToGrpc(status);
}

}  // namespace hv::service
