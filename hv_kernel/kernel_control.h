// hv.v1.KernelControl over a Machine: what hvd asks of hv_kernel.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "hv_kernel/machine.h"
#include "proto/hv/v1/kernel_control.grpc.pb.h"

namespace hv {

class KernelControl final : public hv::v1::KernelControl::Service {
 public:
  struct Identity {
    uint32_t endpoint;
    uint32_t epoch;
    std::vector<std::string> maps;
    std::vector<std::string> sandbox;
    std::vector<std::string> sandbox_missing;
  };

  KernelControl(Identity identity, Machine& machine);

  grpc::Status Describe(grpc::ServerContext*, const hv::v1::DescribeRequest*,
                        hv::v1::DescribeResponse* response) override;
  grpc::Status Start(grpc::ServerContext*, const hv::v1::KernelStartRequest*,
                     hv::v1::KernelStartResponse*) override;
  grpc::Status Pause(grpc::ServerContext*, const hv::v1::KernelPauseRequest*,
                     hv::v1::KernelPauseResponse*) override;
  grpc::Status Resume(grpc::ServerContext*, const hv::v1::KernelResumeRequest*,
                      hv::v1::KernelResumeResponse*) override;
  grpc::Status ReloadMap(grpc::ServerContext*, const hv::v1::KernelReloadMapRequest*,
                         hv::v1::KernelReloadMapResponse*) override;
  grpc::Status Stop(grpc::ServerContext*, const hv::v1::KernelStopRequest*,
                    hv::v1::KernelStopResponse*) override;
  grpc::Status GetRegisters(grpc::ServerContext*, const hv::v1::KernelGetRegistersRequest* request,
                            hv::v1::KernelGetRegistersResponse* response) override;
  grpc::Status GetStats(grpc::ServerContext*, const hv::v1::KernelGetStatsRequest*,
                        hv::v1::KernelGetStatsResponse* response) override;
  grpc::Status WatchExit(grpc::ServerContext* context, const hv::v1::KernelWatchExitRequest*,
                         grpc::ServerWriter<hv::v1::KernelExit>* writer) override;

 private:
  const Identity identity_;
  std::mutex mutex_;  // one control call at a time; WatchExit and GetStats do without
  Machine& machine_;
};

}  // namespace hv
