// hvd's side of hv.v1.ServiceControl with one process.
#pragma once

#include <chrono>
#include <memory>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "proto/hv/v1/service_control.pb.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace hv::hvd {

// Thread-safe. Unavailable: the process is gone. DeadlineExceeded: it does not answer.
class ServiceClient {
 public:
  explicit ServiceClient(UniqueFd connection);
  ~ServiceClient();

  absl::StatusOr<hv::v1::DescribeResponse> Describe(std::chrono::milliseconds timeout);
  // Returns once the poll loop has answered: it has recovered and published what it projects.
  absl::Status AwaitLoop(std::chrono::milliseconds timeout);
  // Returns once a control thread has answered, whatever the loop does.
  absl::Status AwaitAnswer(std::chrono::milliseconds timeout);
  // For what this service serves beside ServiceControl.
  std::shared_ptr<grpc::Channel> channel() const;

 private:
  struct Stub;
  std::unique_ptr<Stub> stub_;
};

}  // namespace hv::hvd
