#include "hvd/api/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <sys/stat.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "hvd/api/fault_service.h"
#include "hvd/api/machine_service.h"

namespace hv::hvd {
namespace {

constexpr mode_t kOwnerOnly = 0177;  // as a umask
constexpr std::chrono::seconds kShutdownGrace{2};
// A request is a configuration or a few typed bytes.
constexpr int kLargestRequestBytes = 4 << 20;

}  // namespace

struct Server::Grpc {
  MachineService service;
  FaultService faults;
  std::unique_ptr<grpc::Server> server;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Listen(const std::string& path,
                                                       MachineRegistry& registry,
                                                       EventBus& events) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  auto parts = std::unique_ptr<Grpc>(new Grpc{.service = MachineService(registry, events),
                                              .faults = FaultService(registry),
                                              .server = nullptr});
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(kLargestRequestBytes);
  builder.AddListeningPort(absl::StrCat("unix:", path), grpc::InsecureServerCredentials());
  builder.RegisterService(&parts->service);
  builder.RegisterService(&parts->faults);
  const mode_t former = umask(kOwnerOnly);
  parts->server = builder.BuildAndStart();
  umask(former);
  if (parts->server == nullptr) {
    return absl::PermissionDeniedError(
        absl::StrCat("socket ", path, ": cannot listen there; choose another with --socket"));
  }
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

Server::Server(std::unique_ptr<Grpc> grpc) : grpc_(std::move(grpc)) {}

Server::~Server() {
  grpc_->server->Shutdown(std::chrono::system_clock::now() + kShutdownGrace);
  grpc_->server->Wait();
}

}  // namespace hv::hvd
