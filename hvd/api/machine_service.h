// hv.v1.MachineService over the registry: what clients ask of hvd.
#pragma once

#include "hvd/machine/machine_registry.h"
#include "hvd/streams/event_bus.h"
#include "proto/hv/v1/machine.grpc.pb.h"

namespace hv::hvd {

using MachineServiceBase = hv::v1::MachineService::WithCallbackMethod_WatchEvents<
    hv::v1::MachineService::WithCallbackMethod_Console<hv::v1::MachineService::Service>>;

class MachineService final : public MachineServiceBase {
 public:
  MachineService(MachineRegistry& registry, EventBus& events)
      : registry_(registry), events_(events) {}

  grpc::Status Create(grpc::ServerContext*, const hv::v1::CreateMachineRequest* request,
                      hv::v1::Machine* response) override;
  grpc::Status Start(grpc::ServerContext*, const hv::v1::StartMachineRequest* request,
                     hv::v1::Machine* response) override;
  grpc::Status Pause(grpc::ServerContext*, const hv::v1::PauseMachineRequest* request,
                     hv::v1::Machine* response) override;
  grpc::Status Resume(grpc::ServerContext*, const hv::v1::ResumeMachineRequest* request,
                      hv::v1::Machine* response) override;
  grpc::Status Stop(grpc::ServerContext*, const hv::v1::StopMachineRequest* request,
                    hv::v1::Machine* response) override;
  grpc::Status Delete(grpc::ServerContext*, const hv::v1::DeleteMachineRequest* request,
                      hv::v1::DeleteMachineResponse*) override;
  grpc::Status List(grpc::ServerContext*, const hv::v1::ListMachinesRequest*,
                    hv::v1::ListMachinesResponse* response) override;
  grpc::Status Get(grpc::ServerContext*, const hv::v1::GetMachineRequest* request,
                   hv::v1::GetMachineResponse* response) override;
  grpc::Status ListServices(grpc::ServerContext*, const hv::v1::ListServicesRequest* request,
                            hv::v1::ListServicesResponse* response) override;
  grpc::Status ReplaceService(grpc::ServerContext*, const hv::v1::ReplaceServiceRequest* request,
                              hv::v1::ReplaceServiceResponse* response) override;
  grpc::Status GetStats(grpc::ServerContext*, const hv::v1::GetMachineStatsRequest* request,
                        hv::v1::GetMachineStatsResponse* response) override;
  grpc::Status SetDirtyLogging(grpc::ServerContext*, const hv::v1::SetDirtyLoggingRequest* request,
                               hv::v1::GuestMemory* response) override;
  grpc::Status SetWriteProtection(grpc::ServerContext*,
                                  const hv::v1::SetWriteProtectionRequest* request,
                                  hv::v1::GuestMemory* response) override;
  grpc::Status TakeDirtyLog(grpc::ServerContext*, const hv::v1::TakeDirtyLogRequest* request,
                            hv::v1::TakeDirtyLogResponse* response) override;
  grpc::Status SetWriteWatch(grpc::ServerContext*, const hv::v1::SetWriteWatchRequest* request,
                             hv::v1::GuestMemory* response) override;
  grpc::Status TakeWrittenPages(grpc::ServerContext*,
                                const hv::v1::TakeWrittenPagesRequest* request,
                                hv::v1::TakeDirtyLogResponse* response) override;
  grpc::Status TranslateAddress(grpc::ServerContext*,
                                const hv::v1::TranslateAddressRequest* request,
                                hv::v1::Translation* response) override;
  grpc::Status Doctor(grpc::ServerContext*, const hv::v1::DoctorRequest*,
                      hv::v1::DoctorResponse* response) override;
  grpc::Status GetVersion(grpc::ServerContext*, const hv::v1::GetVersionRequest*,
                          hv::v1::GetVersionResponse* response) override;
  grpc::ServerWriteReactor<hv::v1::Event>* WatchEvents(
      grpc::CallbackServerContext*, const hv::v1::WatchEventsRequest* request) override;
  grpc::ServerBidiReactor<hv::v1::ConsoleRequest, hv::v1::ConsoleResponse>* Console(
      grpc::CallbackServerContext*) override;

 private:
  // Calls `change` on the machine of that name and fills in what it then is.
  template <typename Change>
  grpc::Status ChangeMachine(const std::string& name, hv::v1::Machine& response, Change change);
  // Fills in what `ask` says of the memory of the machine of that name.
  template <typename Response, typename Ask>
  grpc::Status AskMemory(const std::string& name, Response& response, Ask ask);

  MachineRegistry& registry_;
  EventBus& events_;
};

}  // namespace hv::hvd
