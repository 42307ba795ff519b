// hv.v1.FaultInjection over the registry.
#pragma once

#include "hvd/machine/machine_registry.h"
#include "proto/hv/v1/fault.grpc.pb.h"

namespace hv::hvd {

class FaultService final : public hv::v1::FaultInjection::Service {
 public:
  explicit FaultService(MachineRegistry& registry) : registry_(registry) {}

  grpc::Status SetFault(grpc::ServerContext*, const hv::v1::SetFaultRequest* request,
                        hv::v1::Fault* response) override;
  grpc::Status ListFaults(grpc::ServerContext*, const hv::v1::ListFaultsRequest* request,
                          hv::v1::ListFaultsResponse* response) override;
  grpc::Status ClearFaults(grpc::ServerContext*, const hv::v1::ClearFaultsRequest* request,
                           hv::v1::ClearFaultsResponse*) override;
  grpc::Status RunChaos(grpc::ServerContext* context, const hv::v1::ChaosRequest* request,
                        grpc::ServerWriter<hv::v1::ChaosReport>* writer) override;

 private:
  template <typename Work>
  grpc::Status WithFaults(const std::string& name, Work work);

  MachineRegistry& registry_;
};

}  // namespace hv::hvd
