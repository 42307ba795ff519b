#include "hvd/api/machine_service.h"

#include "abi/version.h"
#include "absl/strings/str_cat.h"
#include "hvd/api/console_stream.h"
#include "hvd/api/event_stream.h"
#include "hvd/host/doctor.h"
#include "hvd/host/host_facts.h"
#include "hvd/machine/machine_config.h"
#include "hvd/version.h"
#include "hvd/virtualization/kvm_verdict.h"
#include "service/grpc_status.h"
#include "service/role_name.h"

namespace hv::hvd {
namespace {

constexpr uint32_t kLongestGraceSeconds = 3600;

using Counters = google::protobuf::RepeatedPtrField<hv::v1::Counter>;

template <typename Named>
void CopyNamed(const Named& from, Counters& to) {
  for (const auto& counter : from) {
    auto& copy = *to.Add();
    copy.set_name(counter.name());
    copy.set_value(counter.value());
  }
}

template <typename ByRole>
void CopyByRole(const ByRole& from, Counters& to) {
  for (const auto& counter : from) {
    auto& copy = *to.Add();
    copy.set_name(service::RoleName(counter.role()));
    copy.set_value(counter.value());
  }
}

}  // namespace

template <typename Change>
grpc::Status MachineService::ChangeMachine(const std::string& name, hv::v1::Machine& response,
                                           Change change) {
  const auto machine = registry_.Find(name);
  if (!machine.ok()) return service::ToGrpc(machine.status());
  if (const absl::Status status = change(**machine); !status.ok()) return service::ToGrpc(status);
  response = (*machine)->Show();
  return grpc::Status::OK;
}

grpc::Status MachineService::Create(grpc::ServerContext*,
                                    const hv::v1::CreateMachineRequest* request,
                                    hv::v1::Machine* response) {
  const auto machine = registry_.Create(request->config());
  if (!machine.ok()) return service::ToGrpc(machine.status());
  *response = (*machine)->Show();
  return grpc::Status::OK;
}

grpc::Status MachineService::Start(grpc::ServerContext*, const hv::v1::StartMachineRequest* request,
                                   hv::v1::Machine* response) {
  return ChangeMachine(request->name(), *response,
                       [](Machine& machine) { return machine.Start(); });
}

grpc::Status MachineService::Pause(grpc::ServerContext*, const hv::v1::PauseMachineRequest* request,
                                   hv::v1::Machine* response) {
  return ChangeMachine(request->name(), *response,
                       [](Machine& machine) { return machine.Pause(); });
}

grpc::Status MachineService::Resume(grpc::ServerContext*,
                                    const hv::v1::ResumeMachineRequest* request,
                                    hv::v1::Machine* response) {
  return ChangeMachine(request->name(), *response,
                       [](Machine& machine) { return machine.Resume(); });
}

grpc::Status MachineService::Stop(grpc::ServerContext*, const hv::v1::StopMachineRequest* request,
                                  hv::v1::Machine* response) {
  const uint32_t grace = request->grace_seconds();
  if (grace > kLongestGraceSeconds) {
    return grpc::Status(
        grpc::StatusCode::INVALID_ARGUMENT,
        absl::StrCat("grace_seconds ", grace, ": 0 to ", kLongestGraceSeconds, " are possible"));
  }
  return ChangeMachine(request->name(), *response, [grace](Machine& machine) {
    return machine.Stop(std::chrono::seconds(grace));
  });
}

grpc::Status MachineService::Delete(grpc::ServerContext*,
                                    const hv::v1::DeleteMachineRequest* request,
                                    hv::v1::DeleteMachineResponse*) {
  return service::ToGrpc(registry_.Delete(request->name(), request->force()));
}

grpc::Status MachineService::List(grpc::ServerContext*, const hv::v1::ListMachinesRequest*,
                                  hv::v1::ListMachinesResponse* response) {
  for (const auto& machine : registry_.All()) *response->add_machines() = machine->Show();
  return grpc::Status::OK;
}

grpc::Status MachineService::Get(grpc::ServerContext*, const hv::v1::GetMachineRequest* request,
                                 hv::v1::GetMachineResponse* response) {
  return ChangeMachine(request->name(), *response->mutable_machine(), [&](Machine& machine) {
    if (request->registers()) {
      auto registers = machine.Registers();
      if (!registers.ok()) return registers.status();
      for (auto& one : *registers) *response->add_registers() = std::move(one);
    }
    if (!request->memory()) return absl::OkStatus();
    return machine.WithMemory([&](MachineMemory& memory) {
      auto shown = memory.Show();
      if (!shown.ok()) return shown.status();
      *response->mutable_memory() = *std::move(shown);
      return absl::OkStatus();
    });
  });
}

template <typename Response, typename Ask>
grpc::Status MachineService::AskMemory(const std::string& name, Response& response, Ask ask) {
  const auto machine = registry_.Find(name);
  if (!machine.ok()) return service::ToGrpc(machine.status());
  return service::ToGrpc((*machine)->WithMemory([&](MachineMemory& memory) {
    absl::StatusOr<Response> answer = ask(memory);
    if (!answer.ok()) return answer.status();
    response = *std::move(answer);
    return absl::OkStatus();
  }));
}

grpc::Status MachineService::SetDirtyLogging(grpc::ServerContext*,
                                             const hv::v1::SetDirtyLoggingRequest* request,
                                             hv::v1::GuestMemory* response) {
  return AskMemory(request->name(), *response, [&](MachineMemory& memory) {
    return memory.SetDirtyLogging(request->address(), request->bytes(), request->on());
  });
}

grpc::Status MachineService::SetWriteProtection(grpc::ServerContext*,
                                                const hv::v1::SetWriteProtectionRequest* request,
                                                hv::v1::GuestMemory* response) {
  return AskMemory(request->name(), *response, [&](MachineMemory& memory) {
    return memory.SetWriteProtection(request->address(), request->bytes(), request->on());
  });
}

grpc::Status MachineService::TakeDirtyLog(grpc::ServerContext*,
                                          const hv::v1::TakeDirtyLogRequest* request,
                                          hv::v1::TakeDirtyLogResponse* response) {
  return AskMemory(request->name(), *response,
                   [&](MachineMemory& memory) { return memory.TakeDirtyLog(request->address()); });
}

grpc::Status MachineService::SetWriteWatch(grpc::ServerContext*,
                                           const hv::v1::SetWriteWatchRequest* request,
                                           hv::v1::GuestMemory* response) {
  return AskMemory(request->name(), *response, [&](MachineMemory& memory) {
    return memory.SetWriteWatch(request->address(), request->bytes(), request->on());
  });
}

grpc::Status MachineService::TakeWrittenPages(grpc::ServerContext*,
                                              const hv::v1::TakeWrittenPagesRequest* request,
                                              hv::v1::TakeDirtyLogResponse* response) {
  return AskMemory(request->name(), *response, [&](MachineMemory& memory) {
    return memory.TakeWrittenPages(request->address());
  });
}

grpc::Status MachineService::TranslateAddress(grpc::ServerContext*,
                                              const hv::v1::TranslateAddressRequest* request,
                                              hv::v1::Translation* response) {
  const auto machine = registry_.Find(request->name());
  if (!machine.ok()) return service::ToGrpc(machine.status());
  auto found = (*machine)->Translate(request->vcpu(), request->address());
  if (!found.ok()) return service::ToGrpc(found.status());
  *response = *std::move(found);
  return grpc::Status::OK;
}

grpc::Status MachineService::ListServices(grpc::ServerContext*,
                                          const hv::v1::ListServicesRequest* request,
                                          hv::v1::ListServicesResponse* response) {
  const auto machine = registry_.Find(request->name());
  if (!machine.ok()) return service::ToGrpc(machine.status());
  auto services = (*machine)->Services();
  if (!services.ok()) return service::ToGrpc(services.status());
  for (auto& one : *services) *response->add_services() = std::move(one);
  return grpc::Status::OK;
}

grpc::Status MachineService::ReplaceService(grpc::ServerContext*,
                                            const hv::v1::ReplaceServiceRequest* request,
                                            hv::v1::ReplaceServiceResponse*) {
  const auto machine = registry_.Find(request->name());
  if (!machine.ok()) return service::ToGrpc(machine.status());
  return service::ToGrpc((*machine)->ReplaceService(request->service()));
}

grpc::Status MachineService::GetStats(grpc::ServerContext*,
                                      const hv::v1::GetMachineStatsRequest* request,
                                      hv::v1::GetMachineStatsResponse* response) {
  const auto machine = registry_.Find(request->name());
  if (!machine.ok()) return service::ToGrpc(machine.status());
  const auto stats = (*machine)->Stats();
  if (!stats.ok()) return service::ToGrpc(stats.status());
  response->set_engine(stats->engine());
  for (const auto& vcpu : stats->vcpus()) {
    auto& shown = *response->add_vcpus();
    CopyNamed(vcpu.exits(), *shown.mutable_exits());
    CopyByRole(vcpu.requests(), *shown.mutable_requests());
    CopyByRole(vcpu.posted(), *shown.mutable_posted());
    shown.set_interrupts(vcpu.interrupts());
    shown.set_nmis(vcpu.nmis());
    shown.set_halts_slept(vcpu.halts_slept());
    CopyNamed(vcpu.refused(), *shown.mutable_refused());
  }
  CopyNamed(stats->engine_counters(), *response->mutable_engine_counters());
  response->set_counted_writes(stats->counted_writes());
  return service::ToGrpc((*machine)->WithMemory([response](MachineMemory& memory) {
    memory.ShowCounters(*response->mutable_paging());
    return absl::OkStatus();
  }));
}

grpc::Status MachineService::Doctor(grpc::ServerContext*, const hv::v1::DoctorRequest*,
                                    hv::v1::DoctorResponse* response) {
  const HostFacts facts = GatherHostFacts();
  for (auto& finding : Examine(facts)) *response->add_findings() = std::move(finding);
  response->set_default_engine(EngineForAuto(JudgeKvm(facts.kvm).verdict));
  return grpc::Status::OK;
}

grpc::Status MachineService::GetVersion(grpc::ServerContext*, const hv::v1::GetVersionRequest*,
                                        hv::v1::GetVersionResponse* response) {
  response->set_version(kVersion);
  response->set_abi_major(HV_ABI_MAJOR);
  response->set_abi_minor(HV_ABI_MINOR);
  return grpc::Status::OK;
}

grpc::ServerWriteReactor<hv::v1::Event>* MachineService::WatchEvents(
    grpc::CallbackServerContext*, const hv::v1::WatchEventsRequest* request) {
  return new EventStream(events_, registry_, *request);
}

grpc::ServerBidiReactor<hv::v1::ConsoleRequest, hv::v1::ConsoleResponse>* MachineService::Console(
    grpc::CallbackServerContext*) {
  return new ConsoleStream(registry_);
}

}  // namespace hv::hvd
