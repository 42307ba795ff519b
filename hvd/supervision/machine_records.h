// What hv_keeper holds of one machine: how it is put there, and what the next hvd makes of it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "hvd/host/process.h"
#include "hvd/keeper/keeper.h"
#include "hvd/plan/manifests.h"
#include "hvd/plan/segment_set.h"
#include "proto/hv/v1/kept_machine.pb.h"

namespace hv::hvd {

// Thread-safe, but for the lives: one after the other, from one thread.
class MachineRecords {
 public:
  MachineRecords(Keeper& keeper, std::string machine);
  // Goes on with what another hvd has put.
  MachineRecords(Keeper& keeper, std::string machine, std::set<std::string> keys);
  // Removes all of it.
  ~MachineRecords();
  MachineRecords(const MachineRecords&) = delete;
  MachineRecords& operator=(const MachineRecords&) = delete;

  // `restarting`: this life is over, and another is to follow.
  void PutMachine(const hv::v1::Machine& machine, bool restarting, int console);

  // What is put from here on is of this life.
  void BeginLife(uint64_t life);
  // Once paging is settled: what is in the plan by then is kept.
  void PutLife(const MachinePlan& plan, const SegmentSet& segments);
  // Before the process has its manifest, so that whatever is attached can be found.
  void PutPart(uint32_t endpoint, uint32_t epoch, const Process& process, int control);
  // Removes segments and parts. REQUIRES: the parts are dead.
  void EndLife();

 private:
  void Put(const std::string& key, std::string bytes, std::span<const int> fds);

  Keeper& keeper_;
  const std::string machine_;
  std::mutex mutex_;
  std::set<std::string> keys_;  // of the life
  uint64_t life_ = 0;
};

// A part as its record tells of it; it may be dead.
struct RemainingPart {
  uint64_t life = 0;
  uint32_t endpoint = 0;
  uint32_t epoch = 0;
  pid_t pid = 0;
  UniqueFd death_fd;
  UniqueFd control;
};

// What is left of one machine.
struct Remains {
  std::optional<hv::v1::KeptMachine> machine;  // none, or with a console: a machine
  UniqueFd console;
  std::optional<hv::v1::KeptLife> life;
  std::vector<OwnedSegment> segments;  // of `life`
  GuestPaging paging;                  // of `life`
  std::vector<RemainingPart> parts;    // of any life
  std::set<std::string> keys;          // of life and parts
  std::vector<std::string> damaged;    // in words: records that make no sense
};

// By name of the machine.
std::map<std::string, Remains> SortRecords(Records records);

}  // namespace hv::hvd
