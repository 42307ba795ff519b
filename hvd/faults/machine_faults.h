// Faults on purpose in one life of a machine.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hvd/host/process.h"
#include "hvd/plan/segment_set.h"
#include "hvd/supervision/supervisor.h"
#include "proto/hv/v1/fault.pb.h"

namespace hv::hvd {

// One thread at a time.
class MachineFaults {
 public:
  // All outlive it. `next_id`: of the next fault; kept from call to call.
  MachineFaults(Supervisor& supervisor, Process& kernel, const SegmentSet& segments,
                std::vector<uint32_t> services, uint32_t& next_id)
      : supervisor_(supervisor),
        kernel_(kernel),
        segments_(segments),
        services_(std::move(services)),
        next_id_(next_id) {}

  // As FaultInjection.SetFault. NotFound names the services there are.
  absl::StatusOr<hv::v1::Fault> Set(const hv::v1::Fault& fault);
  std::vector<hv::v1::Fault> All() const;
  absl::Status Clear(uint32_t id);
  void ClearAll();

  // Process names of all services; their present epochs.
  std::vector<std::string> ServiceNames() const;
  std::map<std::string, uint32_t> Epochs() const;

 private:
  uint32_t NextId();
  absl::Status Hit(const hv::v1::Fault& fault);

  Supervisor& supervisor_;
  Process& kernel_;
  const SegmentSet& segments_;
  const std::vector<uint32_t> services_;
  uint32_t& next_id_;
};

}  // namespace hv::hvd
