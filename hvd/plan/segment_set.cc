#include "hvd/plan/segment_set.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "abi/channel.h"
#include "abi/cpuid_table.h"
#include "abi/endpoint.h"
#include "abi/fault.h"
#include "abi/pager_page.h"
#include "abi/route_table.h"
#include "abi/state.h"
#include "abi/vcpu_page.h"
#include "abi/version_check.h"
#include "abi/wake.h"
#include "absl/strings/str_cat.h"
#include "hvd/plan/segment_name.h"
#include "ring/channel.h"
#include "service/state_segment.h"

namespace hv::hvd {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint32_t kFirstEpoch = 1;

// Of the dirty log and of written pages.
uint64_t PageLogBytes(uint64_t memory_bytes) {
  const uint64_t pages = memory_bytes / kPageBytes;
  return sizeof(hv_dirty_log) + (pages + 63) / 64 * sizeof(uint64_t);
}

// Who may write a segment that is neither channel nor state nor wake word, and who may read it.
struct Rights {
  bool maps = false;
  bool writes = false;
};

Rights RightsOf(uint32_t role, hv_segment kind) {
  const bool kernel = role == HV_ROLE_KERNEL;
  switch (kind) {
    case HV_SEGMENT_VCPU_PAGE: return {kernel || role == HV_ROLE_VCPU, true};
    case HV_SEGMENT_ROUTE_TABLE: return {kernel || role == HV_ROLE_MMU, role == HV_ROLE_MMU};
    case HV_SEGMENT_CPUID_TABLE: return {kernel || role == HV_ROLE_VCPU, role == HV_ROLE_VCPU};
    case HV_SEGMENT_SPIN_BUDGET: return {true, true};
    case HV_SEGMENT_DIRTY_LOG:
    case HV_SEGMENT_GUEST_RAM: return {kernel || role == HV_ROLE_MMU, true};
    case HV_SEGMENT_PAGER_PAGE:
    case HV_SEGMENT_WRITTEN_PAGES: return {role == HV_ROLE_MMU, true};
    default: return {};
  }
}

// Whether somebody may read but not write it.
bool HasReaders(hv_segment kind) {
  return kind == HV_SEGMENT_ROUTE_TABLE || kind == HV_SEGMENT_CPUID_TABLE;
}

// What spins takes a core from nobody: as many services may as there are more cores than vCPUs.
uint32_t SpinSlots(const Topology& topology) {
  const size_t cores = std::thread::hardware_concurrency();
  const size_t free = cores - std::min(cores, topology.vcpus.size());
  return static_cast<uint32_t>(std::min<size_t>(free, HV_SPIN_SLOTS));
}

// One segment that a machine has.
struct Spec {
  hv_segment kind;
  uint32_t endpoint;
  uint32_t peer;
  uint64_t bytes;
};

std::vector<Spec> Specs(const Topology& topology, uint64_t memory_bytes) {
  std::vector<Spec> specs{
      {HV_SEGMENT_GUEST_RAM, 0, 0, memory_bytes},
      {HV_SEGMENT_DIRTY_LOG, 0, 0, PageLogBytes(memory_bytes)},
      {HV_SEGMENT_ROUTE_TABLE, 0, 0, sizeof(hv_route_table)},
      {HV_SEGMENT_CPUID_TABLE, 0, 0, sizeof(hv_cpuid_table)},
      {HV_SEGMENT_SPIN_BUDGET, 0, 0, sizeof(hv_spin_budget)},
      {HV_SEGMENT_PAGER_PAGE, 0, 0, sizeof(hv_pager_page)},
      {HV_SEGMENT_WRITTEN_PAGES, 0, 0, PageLogBytes(memory_bytes)},
  };
  for (uint32_t vcpu : topology.vcpus) {
    specs.push_back({HV_SEGMENT_VCPU_PAGE, vcpu, 0, sizeof(hv_vcpu_page)});
  }
  for (uint32_t endpoint : topology.Endpoints()) {
    specs.push_back({HV_SEGMENT_WAKE, endpoint, 0, sizeof(hv_wake)});
  }
  for (uint32_t service : topology.services) {
    specs.push_back({HV_SEGMENT_STATE, service, 0, HV_STATE_SEGMENT_BYTES(HV_STATE_MAX_BYTES)});
  }
  for (const ChannelPlan& channel : topology.channels) {
    specs.push_back(
        {HV_SEGMENT_CHANNEL, channel.side_a, channel.side_b, HV_CHANNEL_BYTES(channel.capacity)});
  }
  return specs;
}

}  // namespace

absl::Status SegmentSet::Add(hv_segment kind, uint32_t endpoint, uint32_t peer, uint64_t bytes) {
  auto fd = ring::CreateSegment(SegmentName(kind, endpoint, peer), bytes);
  if (!fd.ok()) return fd.status();
  UniqueFd read_only;
  if (HasReaders(kind)) {
    read_only.Reset(open(absl::StrCat("/proc/self/fd/", fd->get()).c_str(), O_RDONLY | O_CLOEXEC));
    if (!read_only.valid()) {
      return absl::ResourceExhaustedError(
          absl::StrCat("opening a segment for reading: ", std::strerror(errno)));
    }
  }
  segments_.push_back({kind, endpoint, peer, bytes, *std::move(fd), std::move(read_only)});
  return absl::OkStatus();
}

absl::StatusOr<SegmentSet> SegmentSet::Make(const Topology& topology, uint64_t memory_bytes) {
  SegmentSet set;
  for (const Spec& spec : Specs(topology, memory_bytes)) {
    if (auto status = set.Add(spec.kind, spec.endpoint, spec.peer, spec.bytes); !status.ok()) {
      return status;
    }
  }
  if (auto status = set.FormatAll(topology); !status.ok()) return status;
  return set;
}

absl::StatusOr<SegmentSet> SegmentSet::Restore(const Topology& topology, uint64_t memory_bytes,
                                               std::vector<OwnedSegment> segments) {
  const std::vector<Spec> specs = Specs(topology, memory_bytes);
  if (segments.size() != specs.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(segments.size(), " segments, such a machine has ", specs.size()));
  }
  SegmentSet set;
  for (size_t i = 0; i < specs.size(); ++i) {
    const OwnedSegment& segment = segments[i];
    const Spec& spec = specs[i];
    if (segment.kind != spec.kind || segment.endpoint != spec.endpoint ||
        segment.peer != spec.peer || segment.bytes != spec.bytes ||
        segment.read_only.valid() != HasReaders(spec.kind)) {
      return absl::InvalidArgumentError(
          absl::StrCat("segment ", i, " is not ", SegmentName(spec.kind, spec.endpoint, spec.peer),
                       " of ", spec.bytes, " bytes"));
    }
    if (auto status = set.MapOwnView(segment); !status.ok()) return status;
  }
  set.segments_ = std::move(segments);
  return set;
}

absl::Status SegmentSet::MapOwnView(const OwnedSegment& segment) {
  auto mapping = ring::Mapping::Map(segment.fd.get(), segment.bytes, /*writable=*/true);
  if (!mapping.ok()) return mapping.status();
  if (segment.kind == HV_SEGMENT_GUEST_RAM) return absl::OkStatus();  // raw memory
  if (auto status = CheckSegmentHeader(*mapping->As<hv_segment_header>(), segment.kind);
      !status.ok()) {
    return status;
  }
  KeepOwnView(segment, *std::move(mapping));
  return absl::OkStatus();
}

void SegmentSet::KeepOwnView(const OwnedSegment& segment, ring::Mapping mapping) {
  switch (segment.kind) {
    case HV_SEGMENT_STATE: states_.push_back({segment.endpoint, std::move(mapping)}); break;
    case HV_SEGMENT_WAKE: wakes_.push_back({segment.endpoint, std::move(mapping)}); break;
    case HV_SEGMENT_PAGER_PAGE: pager_page_ = std::move(mapping); break;
    default: break;
  }
}

absl::Status SegmentSet::FormatAll(const Topology& topology) {
  for (const OwnedSegment& segment : segments_) {
    if (segment.kind == HV_SEGMENT_GUEST_RAM) continue;  // raw memory
    uint32_t capacity = 0;
    for (const ChannelPlan& channel : topology.channels) {
      if (channel.side_a == segment.endpoint && channel.side_b == segment.peer) {
        capacity = channel.capacity;
      }
    }
    if (auto status = Format(segment, topology, capacity); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status SegmentSet::Format(const OwnedSegment& segment, const Topology& topology,
                                uint32_t capacity) {
  auto mapping = ring::Mapping::Map(segment.fd.get(), segment.bytes, /*writable=*/true);
  if (!mapping.ok()) return mapping.status();
  switch (segment.kind) {
    case HV_SEGMENT_CHANNEL:
      ring::FormatChannel(mapping->bytes(), segment.endpoint, segment.peer, kFirstEpoch, capacity);
      return absl::OkStatus();
    case HV_SEGMENT_STATE:
      service::StateSegment::Format(mapping->bytes(), HV_ENDPOINT_ROLE(segment.endpoint),
                                    kFirstEpoch);
      KeepOwnView(segment, *std::move(mapping));
      return absl::OkStatus();
    case HV_SEGMENT_SPIN_BUDGET: mapping->As<hv_spin_budget>()->slots = SpinSlots(topology); break;
    case HV_SEGMENT_DIRTY_LOG:
    case HV_SEGMENT_WRITTEN_PAGES:
      mapping->As<hv_dirty_log>()->pages = guest_ram().bytes / kPageBytes;
      break;
    default: break;
  }
  *mapping->As<hv_segment_header>() = {HV_SEGMENT_MAGIC, static_cast<uint32_t>(segment.kind),
                                       HV_ABI_MAJOR, HV_ABI_MINOR};
  KeepOwnView(segment, *std::move(mapping));
  return absl::OkStatus();
}

std::vector<SegmentUse> SegmentSet::UsesOf(uint32_t process) const {
  std::vector<SegmentUse> uses;
  std::vector<uint32_t> peers;
  const uint32_t role = HV_ENDPOINT_ROLE(process);
  for (const OwnedSegment& segment : segments_) {
    if (segment.kind == HV_SEGMENT_CHANNEL) {
      const bool is_a = ProcessOf(segment.endpoint) == process;
      const bool is_b = ProcessOf(segment.peer) == process;
      if (!is_a && !is_b) continue;
      const uint32_t self = is_a ? segment.endpoint : segment.peer;
      const uint32_t other = is_a ? segment.peer : segment.endpoint;
      uses.push_back({&segment, self, other, true});
      peers.push_back(other);
    } else if (segment.kind == HV_SEGMENT_STATE) {
      if (segment.endpoint == process) uses.push_back({&segment, process, 0, true});
    } else if (const Rights rights = RightsOf(role, segment.kind); rights.maps) {
      uses.push_back({&segment, segment.endpoint, 0, rights.writes});
    }
  }
  for (const OwnedSegment& segment : segments_) {
    if (segment.kind != HV_SEGMENT_WAKE) continue;
    const bool own = ProcessOf(segment.endpoint) == process;
    const bool peer = std::find(peers.begin(), peers.end(), segment.endpoint) != peers.end();
    if (own || peer) uses.push_back({&segment, segment.endpoint, 0, true});
  }
  return uses;
}

const OwnedSegment& SegmentSet::guest_ram() const { return segments_.front(); }

const OwnedSegment* SegmentSet::Find(hv_segment kind, uint32_t endpoint, uint32_t peer) const {
  for (const OwnedSegment& segment : segments_) {
    if (segment.kind == kind && segment.endpoint == endpoint && segment.peer == peer) {
      return &segment;
    }
  }
  return nullptr;
}

hv_state_header* SegmentSet::state_header(uint32_t service) const {
  for (const View& view : states_) {
    if (view.endpoint == service) return view.mapping.As<hv_state_header>();
  }
  return nullptr;
}

hv_fault_table* SegmentSet::fault_table(uint32_t service) const {
  for (const View& view : states_) {
    if (view.endpoint != service) continue;
    return reinterpret_cast<hv_fault_table*>(view.mapping.bytes().data() + HV_FAULTS_OFFSET);
  }
  return nullptr;
}

hv_wake* SegmentSet::wake(uint32_t endpoint) const {
  for (const View& view : wakes_) {
    if (view.endpoint == endpoint) return view.mapping.As<hv_wake>();
  }
  return nullptr;
}

hv_pager_page& SegmentSet::pager_page() const { return *pager_page_.As<hv_pager_page>(); }

}  // namespace hv::hvd
