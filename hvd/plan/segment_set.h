// All segments of one machine: made, formatted and owned here; what a process gets of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "abi/version.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "hvd/plan/topology.h"
#include "ring/segment.h"

struct hv_fault_table;
struct hv_pager_page;
struct hv_state_header;
struct hv_wake;

namespace hv::hvd {

// One segment. `read_only` can be mapped for reading alone: it goes to those who may not write, and
// is there only for segments that have such readers.
struct OwnedSegment {
  hv_segment kind;
  uint32_t endpoint;  // owner; CHANNEL: side A
  uint32_t peer;      // CHANNEL: side B
  uint64_t bytes;
  UniqueFd fd;
  UniqueFd read_only;
};

// A segment as one process sees it.
struct SegmentUse {
  const OwnedSegment* segment;
  uint32_t endpoint;  // CHANNEL: the process's own side
  uint32_t peer;      // CHANNEL: the other side
  bool writable;
};

// Invariants: a channel goes to its two sides alone; guest RAM to hv_kernel and mmu_svc (no device
// does DMA today); a state segment to its service.
class SegmentSet {
 public:
  // ResourceExhausted: the host has too few descriptors or too little memory.
  static absl::StatusOr<SegmentSet> Make(const Topology& topology, uint64_t memory_bytes);

  // The segments of a machine that runs. InvalidArgument: these are not what such a machine has.
  // FailedPrecondition: they are of another ABI major.
  static absl::StatusOr<SegmentSet> Restore(const Topology& topology, uint64_t memory_bytes,
                                            std::vector<OwnedSegment> segments);

  // What the process with this endpoint maps (ProcessOf).
  std::vector<SegmentUse> UsesOf(uint32_t process) const;

  const std::vector<OwnedSegment>& all() const { return segments_; }
  const OwnedSegment& guest_ram() const;
  // Of the given kind and owner; nullptr when there is none.
  const OwnedSegment* Find(hv_segment kind, uint32_t endpoint, uint32_t peer = 0) const;
  // hvd's own view of a service's state header: epoch and progress.
  hv_state_header* state_header(uint32_t service) const;
  // hvd's own view of the faults set for a service.
  hv_fault_table* fault_table(uint32_t service) const;
  // hvd's own view of an endpoint's wake word.
  hv_wake* wake(uint32_t endpoint) const;
  // hvd's own view of what mmu_svc's pager does.
  hv_pager_page& pager_page() const;

 private:
  struct View {
    uint32_t endpoint;
    ring::Mapping mapping;
  };

  absl::Status Add(hv_segment kind, uint32_t endpoint, uint32_t peer, uint64_t bytes);
  absl::Status Format(const OwnedSegment& segment, const Topology& topology, uint32_t capacity);
  absl::Status FormatAll(const Topology& topology);
  // Maps what hvd looks at itself of a segment that others use already.
  absl::Status MapOwnView(const OwnedSegment& segment);
  // Keeps the view of a segment, if it is one of those.
  void KeepOwnView(const OwnedSegment& segment, ring::Mapping mapping);

  std::vector<OwnedSegment> segments_;
  std::vector<View> states_;
  std::vector<View> wakes_;
  ring::Mapping pager_page_;
};

}  // namespace hv::hvd
