// How long failovers of one service took, stage by stage.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "proto/hv/v1/machine.pb.h"

namespace hv::hvd {

// Counts durations in steps of an eighth: what Percentile says is at most 12.5 % too long.
class DurationHistogram {
 public:
  void Add(uint64_t ns);
  uint64_t count() const { return count_; }
  uint64_t max_ns() const { return max_ns_; }
  // `percent` of the durations are at most so long; 0 when there is none.
  uint64_t Percentile(double percent) const;

 private:
  static constexpr int kSubBits = 3;
  static constexpr size_t kBuckets = (64 - kSubBits + 1) << kSubBits;
  static size_t BucketOf(uint64_t ns);
  static uint64_t EndOf(size_t bucket);

  std::array<uint32_t, kBuckets> counts_{};
  uint64_t count_ = 0;
  uint64_t max_ns_ = 0;
};

// When what happened, on the machine's clock; 0: not yet.
struct FailoverTimes {
  uint64_t detected_ns = 0;   // hvd has seen the death, or has found the hang
  uint64_t fenced_ns = 0;     // the process is reaped and the epoch raised
  uint64_t attached_ns = 0;   // the successor has been sent its manifest
  uint64_t recovered_ns = 0;  // the successor looks for messages
  uint64_t first_message_ns = 0;
};

class FailoverRecord {
 public:
  // Of a failover that has come to recovered_ns.
  void AddRecovery(const FailoverTimes& times);
  // Of the same one, once a message has come.
  void AddFirstMessage(const FailoverTimes& times);
  void Show(hv::v1::Failovers& shown) const;

 private:
  DurationHistogram fence_, attach_, recover_, whole_, first_message_;
};

}  // namespace hv::hvd
