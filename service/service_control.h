// hv.v1.ServiceControl over the poll loop: what hvd asks of every service.
#pragma once

#include <string>
#include <vector>

#include "proto/hv/v1/service_control.grpc.pb.h"
#include "service/mailbox.h"
#include "service/poll_loop.h"

namespace hv::service {

// Each call begins with a pass of the fault point CONTROL.
class ServiceControl final : public hv::v1::ServiceControl::Service {
 public:
  struct Identity {
    std::string name;
    uint32_t endpoint;
    uint32_t epoch;
    std::vector<std::string> maps;
    std::vector<std::string> sandbox;
    std::vector<std::string> sandbox_missing;
  };

  ServiceControl(Identity identity, LiveCommitter& committer, PollLoop& loop, Mailbox& mailbox,
                 Clock& clock, FaultPoints faults);

  grpc::Status Describe(grpc::ServerContext*, const hv::v1::DescribeRequest*,
                        hv::v1::DescribeResponse* response) override;
  grpc::Status Stats(grpc::ServerContext*, const hv::v1::StatsRequest*,
                     hv::v1::StatsResponse* response) override;
  grpc::Status Quiesce(grpc::ServerContext*, const hv::v1::QuiesceRequest*,
                       hv::v1::QuiesceResponse*) override;
  grpc::Status Resume(grpc::ServerContext*, const hv::v1::ResumeRequest*,
                      hv::v1::ResumeResponse*) override;
  grpc::Status ExportState(grpc::ServerContext*, const hv::v1::ExportStateRequest*,
                           hv::v1::ExportStateResponse* response) override;
  grpc::Status ImportState(grpc::ServerContext*, const hv::v1::ImportStateRequest* request,
                           hv::v1::ImportStateResponse*) override;

 private:
  const Identity identity_;
  LiveCommitter& committer_;
  PollLoop& loop_;
  Mailbox& mailbox_;
  Clock& clock_;
  // Its own: the loop's is for the loop's thread. Calls at the same time may count a pass as one.
  FaultPoints faults_;
};

}  // namespace hv::service
