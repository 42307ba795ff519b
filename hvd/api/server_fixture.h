// hvd's interface over a real socket, with machines of fake parts behind it, for tests.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "hvd/api/server.h"
#include "hvd/testing/fake_host.h"
#include "proto/hv/v1/machine.grpc.pb.h"

namespace hv::hvd {

class ServerFixture : public FakeHost {
 protected:
  std::string Socket() const { return path_ + "/s"; }
  grpc::Status Create(const std::string& name) {
    grpc::ClientContext context;
    hv::v1::CreateMachineRequest request;
    *request.mutable_config() = config_;
    request.mutable_config()->set_name(name);
    return stub_->Create(&context, request, &machine_);
  }
  grpc::Status Start(const std::string& name) {
    grpc::ClientContext context;
    hv::v1::StartMachineRequest request;
    request.set_name(name);
    return stub_->Start(&context, request, &machine_);
  }
  grpc::Status Delete(const std::string& name) {
    grpc::ClientContext context;
    hv::v1::DeleteMachineRequest request;
    request.set_name(name);
    request.set_force(true);
    hv::v1::DeleteMachineResponse response;
    return stub_->Delete(&context, request, &response);
  }

  std::unique_ptr<Server> server_ = Server::Listen(Socket(), registry_, events_).value();
  std::unique_ptr<hv::v1::MachineService::Stub> stub_ = hv::v1::MachineService::NewStub(
      grpc::CreateChannel("unix:" + Socket(), grpc::InsecureChannelCredentials()));
  hv::v1::Machine machine_;
};

}  // namespace hv::hvd
