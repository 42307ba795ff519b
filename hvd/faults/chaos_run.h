// Carries out a campaign of faults.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/hv/v1/fault.pb.h"

namespace hv::hvd {

class ChaosRun {
 public:
  // What it acts on; the seam for tests.
  struct World {
    // Waits until so long after the campaign began; false: whoever wanted it has gone.
    std::function<bool(uint64_t at_us)> wait_until;
    // As FaultInjection's calls, for the campaign's machine.
    std::function<absl::StatusOr<hv::v1::Fault>(const hv::v1::Fault&)> set;
    std::function<absl::StatusOr<std::vector<hv::v1::Fault>>()> all;
    std::function<absl::Status(uint32_t id)> clear;
    // False: nobody listens any more.
    std::function<bool(const hv::v1::Injection&)> report;
  };
  explicit ChaosRun(World world) : world_(std::move(world)) {}

  // Makes the injections of `plan` at their times and reports each with its outcome: one at NOW at
  // once, another when the next one of its service is due, or at `end_us`. No fault stays behind.
  // Returns why it ended before its time, if it did.
  absl::Status Run(const std::vector<hv::v1::Injection>& plan, uint64_t end_us);

  uint64_t injections() const { return injections_; }
  uint64_t fired() const { return fired_; }

 private:
  struct Pending {
    uint32_t id;
    hv::v1::Injection injection;
  };

  absl::Status RunAll(const std::vector<hv::v1::Injection>& plan, uint64_t end_us);
  absl::Status Inject(const hv::v1::Injection& injection);
  absl::Status Settle(const std::string& service);
  absl::Status SettleAll();
  absl::Status Report(hv::v1::Injection injection, bool fired);

  const World world_;
  std::map<std::string, Pending> pending_;  // by service
  uint64_t injections_ = 0;
  uint64_t fired_ = 0;
};

}  // namespace hv::hvd
