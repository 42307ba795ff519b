// hvd's side of the faults of one service (abi/fault.h).
#pragma once

#include <cstdint>
#include <vector>

#include "abi/fault.h"
#include "absl/status/status.h"

namespace hv::hvd {

// One writer at a time. What the service writes there are counts for people to read.
class FaultTable {
 public:
  // REQUIRES: not null; outlives this.
  explicit FaultTable(hv_fault_table* table) : table_(table) {}

  // Puts `plan` in force; its id is not 0 and not in use. ResourceExhausted: the table is full.
  absl::Status Set(const hv_fault& plan);
  // False: there is no such plan.
  bool Clear(uint32_t id);
  // Copies of those in force.
  std::vector<hv_fault> All() const;

 private:
  hv_fault_table* table_;
};

}  // namespace hv::hvd
