#include "hvd/supervision/machine_records.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace hv::hvd {
namespace {

constexpr uint32_t kVersion = 2;
constexpr char kLife[] = "life";  // the second part of a key; that of a part is longer

// A machine's name has no slash.
std::string KeyOf(const std::string& machine, const std::string& rest) {
  return absl::StrCat(machine, "/", rest);
}

bool ReadMachine(KeptRecord& record, Remains& remains) {
  hv::v1::KeptMachine machine;
  if (!machine.ParseFromString(record.bytes) || machine.version() != kVersion ||
      record.fds.size() != 1) {
    return false;
  }
  remains.machine = std::move(machine);
  remains.console = std::move(record.fds.front());
  return true;
}

bool ReadLife(KeptRecord& record, Remains& remains) {
  hv::v1::KeptLife life;
  if (!life.ParseFromString(record.bytes)) return false;
  auto fd = record.fds.begin();
  std::vector<OwnedSegment> segments;
  for (const auto& from : life.segments()) {
    const size_t needed = from.has_read_only() ? 2 : 1;
    if (record.fds.end() - fd < static_cast<ptrdiff_t>(needed)) return false;
    OwnedSegment& to = segments.emplace_back();
    to = {static_cast<hv_segment>(from.kind()), from.endpoint(), from.peer(), from.bytes(), {}, {}};
    to.fd = std::move(*fd++);
    if (from.has_read_only()) to.read_only = std::move(*fd++);
  }
  const hv::v1::KeptPaging& kept = life.paging();
  if (record.fds.end() - fd != (kept.has_userfault() ? 1 : 0)) return false;
  remains.paging = {
      .userfault = {}, .address = kept.address(), .bytes = kept.bytes(), .notice = kept.notice()};
  if (kept.has_userfault()) remains.paging.userfault = std::move(*fd);
  remains.life = std::move(life);
  remains.segments = std::move(segments);
  return true;
}

bool ReadPart(KeptRecord& record, Remains& remains) {
  hv::v1::KeptPart part;
  if (!part.ParseFromString(record.bytes) || record.fds.size() != 2) return false;
  remains.parts.push_back({.life = part.life(),
                           .endpoint = part.endpoint(),
                           .epoch = part.epoch(),
                           .pid = part.pid(),
                           .death_fd = std::move(record.fds[0]),
                           .control = std::move(record.fds[1])});
  return true;
}

}  // namespace

MachineRecords::MachineRecords(Keeper& keeper, std::string machine)
    : MachineRecords(keeper, std::move(machine), {}) {}

MachineRecords::MachineRecords(Keeper& keeper, std::string machine, std::set<std::string> keys)
    : keeper_(keeper), machine_(std::move(machine)), keys_(std::move(keys)) {}

MachineRecords::~MachineRecords() {
  EndLife();
  keeper_.Remove(machine_);
}

void MachineRecords::PutMachine(const hv::v1::Machine& machine, bool restarting, int console) {
  hv::v1::KeptMachine record;
  record.set_version(kVersion);
  *record.mutable_machine() = machine;
  record.set_restarting(restarting);
  {
    std::lock_guard lock(mutex_);
    record.set_life(life_);
  }
  keeper_.Put(machine_, record.SerializeAsString(), std::array{console});
}

void MachineRecords::BeginLife(uint64_t life) {
  std::lock_guard lock(mutex_);
  life_ = life;
}

void MachineRecords::PutLife(const MachinePlan& plan, const SegmentSet& segments) {
  hv::v1::KeptLife record;
  record.set_engine(plan.engine);
  record.set_boot_state(plan.boot_state);
  record.set_tsc_base(plan.clock.tsc_base);
  record.set_tsc_hz(plan.clock.tsc_hz);
  record.set_host_immunities(plan.host_immunities);
  record.set_realtime_base_ns(plan.clock.realtime_base_ns);
  *record.mutable_memory_map() = plan.memory_map;
  std::vector<int> fds;
  for (const OwnedSegment& segment : segments.all()) {
    auto& to = *record.add_segments();
    to.set_kind(segment.kind);
    to.set_endpoint(segment.endpoint);
    to.set_peer(segment.peer);
    to.set_bytes(segment.bytes);
    fds.push_back(segment.fd.get());
    to.set_has_read_only(segment.read_only.valid());
    if (segment.read_only.valid()) fds.push_back(segment.read_only.get());
  }
  auto& paging = *record.mutable_paging();
  paging.set_has_userfault(plan.paging.on_demand());
  paging.set_address(plan.paging.address);
  paging.set_bytes(plan.paging.bytes);
  paging.set_notice(plan.paging.notice);
  if (plan.paging.on_demand()) fds.push_back(plan.paging.userfault.get());
  std::lock_guard lock(mutex_);
  record.set_life(life_);
  Put(KeyOf(machine_, kLife), record.SerializeAsString(), fds);
}

void MachineRecords::PutPart(uint32_t endpoint, uint32_t epoch, const Process& process,
                             int control) {
  hv::v1::KeptPart record;
  record.set_endpoint(endpoint);
  record.set_epoch(epoch);
  record.set_pid(process.pid());
  std::lock_guard lock(mutex_);
  record.set_life(life_);
  Put(KeyOf(machine_, absl::StrFormat("part/%08x", endpoint)), record.SerializeAsString(),
      std::array{process.death_fd(), control});
}

void MachineRecords::Put(const std::string& key, std::string bytes, std::span<const int> fds) {
  keys_.insert(key);
  keeper_.Put(key, std::move(bytes), fds);
}

void MachineRecords::EndLife() {
  std::lock_guard lock(mutex_);
  for (const std::string& key : keys_) keeper_.Remove(key);
  keys_.clear();
}

std::map<std::string, Remains> SortRecords(Records records) {
  std::map<std::string, Remains> all;
  for (auto& [key, record] : records) {
    const size_t slash = key.find('/');
    Remains& remains = all[key.substr(0, slash)];
    const std::string rest = slash == std::string::npos ? "" : key.substr(slash + 1);
    if (!rest.empty()) remains.keys.insert(key);
    const bool read = rest.empty()    ? ReadMachine(record, remains)
                      : rest == kLife ? ReadLife(record, remains)
                                      : ReadPart(record, remains);
    if (!read) {
      remains.damaged.push_back(absl::StrCat("record ", key, " of ", record.bytes.size(),
                                             " bytes is none that this hvd knows"));
    }
  }
  return all;
}

}  // namespace hv::hvd
