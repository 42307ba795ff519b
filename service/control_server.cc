#include "service/control_server.h"

#include <fcntl.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_posix.h>

#include <array>
#include <chrono>

#include "base/check.h"
#include "service/descriptor_socket.h"

namespace hv::service {
namespace {

// What the message is that brings a connection: a message has to have a byte.
constexpr char kConnection = 'c';

}  // namespace

ControlServer::ControlServer(const std::vector<grpc::Service*>& services) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  // One client, hvd: few threads are enough, and each costs memory.
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 1);
  for (grpc::Service* service : services) builder.RegisterService(service);
  server_ = builder.BuildAndStart();
  CHECK(server_ != nullptr);
}

ControlServer::~ControlServer() {
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

void ControlServer::ServeAllFrom(int socket) {
  for (;;) {
    auto message = ReceiveWithDescriptors(socket, sizeof(kConnection));
    if (absl::IsUnavailable(message.status())) return;
    if (!message.ok()) continue;  // larger than what is served here
    for (UniqueFd& connection : message->fds) {
      fcntl(connection.get(), F_SETFL, fcntl(connection.get(), F_GETFL) | O_NONBLOCK);
      grpc::AddInsecureChannelFromFd(server_.get(), connection.Release());
    }
  }
}

absl::Status SendConnection(int socket, int connection) {
  return SendWithDescriptors(socket, {&kConnection, 1}, std::array{connection});
}

}  // namespace hv::service
