#include "hv_kernel/kernel_control.h"

#include <unistd.h>

#include <utility>

#include "abi/version.h"
#include "service/grpc_status.h"
#include "service/role_name.h"

namespace hv {
namespace {

hv::v1::KernelStopCause ToProto(StopCause cause) {
  switch (cause) {
    case StopCause::kPowerOff: return hv::v1::KERNEL_STOP_POWER_OFF;
    case StopCause::kReset: return hv::v1::KERNEL_STOP_RESET;
    case StopCause::kDebugExit: return hv::v1::KERNEL_STOP_DEBUG_EXIT;
    case StopCause::kShutdown: return hv::v1::KERNEL_STOP_TRIPLE_FAULT;
    case StopCause::kUnsupported: return hv::v1::KERNEL_STOP_UNSUPPORTED;
    case StopCause::kRequested: return hv::v1::KERNEL_STOP_REQUESTED;
  }
  return hv::v1::KERNEL_STOP_UNSPECIFIED;
}

hv::v1::KernelExit ToProto(const StopReport& report) {
  hv::v1::KernelExit out;
  out.set_cause(ToProto(report.cause));
  out.set_vcpu(report.vcpu);
  out.set_value(report.value);
  out.set_detail(report.detail);
  if (report.state) out.set_vcpu_state(&*report.state, sizeof(*report.state));
  out.set_bytes_at_rip(report.bytes_at_rip);
  for (const Exit& exit : report.last_exits) {
    auto& to = *out.add_last_exits();
    to.set_reason(ExitReasonName(exit.reason));
    to.set_address(exit.address);
    to.set_data(exit.data);
    to.set_width(exit.width);
  }
  return out;
}

template <typename Repeated>
void PutByRole(const std::array<Counter, HV_ROLE_COUNT>& counters, Repeated* to) {
  for (uint32_t role = 0; role < HV_ROLE_COUNT; ++role) {
    if (counters[role].value() == 0) continue;
    auto& entry = *to->Add();
    entry.set_role(role);
    entry.set_value(counters[role].value());
  }
}

}  // namespace

KernelControl::KernelControl(Identity identity, Machine& machine)
    : identity_(std::move(identity)), machine_(machine) {}

grpc::Status KernelControl::Describe(grpc::ServerContext*, const hv::v1::DescribeRequest*,
                                     hv::v1::DescribeResponse* response) {
  response->set_name("hv_kernel");
  response->set_endpoint(identity_.endpoint);
  response->set_epoch(identity_.epoch);
  response->set_abi_major(HV_ABI_MAJOR);
  response->set_abi_minor(HV_ABI_MINOR);
  response->mutable_maps()->Assign(identity_.maps.begin(), identity_.maps.end());
  response->mutable_sandbox()->Assign(identity_.sandbox.begin(), identity_.sandbox.end());
  response->mutable_sandbox_missing()->Assign(identity_.sandbox_missing.begin(),
                                              identity_.sandbox_missing.end());
  response->set_pid(getpid());
  return grpc::Status::OK;
}

grpc::Status KernelControl::Start(grpc::ServerContext*, const hv::v1::KernelStartRequest*,
                                  hv::v1::KernelStartResponse*) {
  std::lock_guard lock(mutex_);
  return service::ToGrpc(machine_.Start());
}

grpc::Status KernelControl::Pause(grpc::ServerContext*, const hv::v1::KernelPauseRequest*,
                                  hv::v1::KernelPauseResponse*) {
  std::lock_guard lock(mutex_);
  return service::ToGrpc(machine_.Pause());
}

grpc::Status KernelControl::Resume(grpc::ServerContext*, const hv::v1::KernelResumeRequest*,
                                   hv::v1::KernelResumeResponse*) {
  std::lock_guard lock(mutex_);
  return service::ToGrpc(machine_.Resume());
}

grpc::Status KernelControl::ReloadMap(grpc::ServerContext*, const hv::v1::KernelReloadMapRequest*,
                                      hv::v1::KernelReloadMapResponse*) {
  std::lock_guard lock(mutex_);
  return service::ToGrpc(machine_.ReloadMap());
}

grpc::Status KernelControl::Stop(grpc::ServerContext*, const hv::v1::KernelStopRequest*,
                                 hv::v1::KernelStopResponse*) {
  // Before the lock: a Pause may hold it for as long as a service leaves a vCPU without an answer.
  machine_.RequestStop();
  std::lock_guard lock(mutex_);
  machine_.Stop();
  return grpc::Status::OK;
}

grpc::Status KernelControl::GetRegisters(grpc::ServerContext*,
                                         const hv::v1::KernelGetRegistersRequest* request,
                                         hv::v1::KernelGetRegistersResponse* response) {
  std::lock_guard lock(mutex_);
  const auto state = machine_.Registers(request->vcpu());
  if (!state.ok()) return service::ToGrpc(state.status());
  response->set_vcpu_state(&*state, sizeof(*state));
  return grpc::Status::OK;
}

grpc::Status KernelControl::GetStats(grpc::ServerContext*, const hv::v1::KernelGetStatsRequest*,
                                     hv::v1::KernelGetStatsResponse* response) {
  response->set_engine(std::string(machine_.engine().name()));
  for (const Engine::Counter& counter : machine_.engine().Counters()) {
    auto& to = *response->add_engine_counters();
    to.set_name(counter.name);
    to.set_value(counter.value);
  }
  uint64_t counted = machine_.engine().CountedWrites();
  for (const Statistics* from : machine_.statistics()) {
    counted += from->counted_writes.value();
    auto& to = *response->add_vcpus();
    for (size_t i = 0; i < kExitReasons; ++i) {
      auto& exits = *to.add_exits();
      exits.set_name(ExitReasonName(static_cast<ExitReason>(i)));
      exits.set_value(from->exits[i].value());
    }
    PutByRole(from->requests, to.mutable_requests());
    PutByRole(from->posted, to.mutable_posted());
    to.set_interrupts(from->interrupts.value());
    to.set_nmis(from->nmis.value());
    to.set_halts_slept(from->halts_slept.value());
    for (uint32_t refusal = 0; refusal < HV_REFUSAL_COUNT; ++refusal) {
      auto& refused = *to.add_refused();
      refused.set_name(service::RefusalName(refusal));
      refused.set_value(from->refused[refusal].value());
    }
  }
  response->set_counted_writes(counted);
  return grpc::Status::OK;
}

grpc::Status KernelControl::WatchExit(grpc::ServerContext* context,
                                      const hv::v1::KernelWatchExitRequest*,
                                      grpc::ServerWriter<hv::v1::KernelExit>* writer) {
  const auto report = machine_.WaitUntilStopped([&] { return context->IsCancelled(); });
  if (!report) return grpc::Status::CANCELLED;
  writer->Write(ToProto(*report));
  return grpc::Status::OK;
}

}  // namespace hv
