#include "hvd/supervision/failover_record.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace hv::hvd {
namespace {

// Clocks of two processors may be a little apart.
uint64_t Between(uint64_t from_ns, uint64_t to_ns) { return to_ns > from_ns ? to_ns - from_ns : 0; }

void ShowStage(const char* name, const DurationHistogram& durations, hv::v1::Failovers& shown) {
  hv::v1::FailoverStage& stage = *shown.add_stages();
  stage.set_name(name);
  stage.set_count(durations.count());
  stage.set_p50_ns(durations.Percentile(50));
  stage.set_p99_ns(durations.Percentile(99));
  stage.set_max_ns(durations.max_ns());
}

}  // namespace

size_t DurationHistogram::BucketOf(uint64_t ns) {
  if (ns < (1 << kSubBits)) return ns;
  const int exponent = std::bit_width(ns) - 1 - kSubBits;
  return (static_cast<size_t>(exponent) << kSubBits) + (ns >> exponent);
}

uint64_t DurationHistogram::EndOf(size_t bucket) {
  if (bucket < (1 << kSubBits)) return bucket;
  const size_t exponent = (bucket >> kSubBits) - 1;
  const uint64_t mantissa = (bucket & ((1 << kSubBits) - 1)) + (1 << kSubBits);
  return ((mantissa + 1) << exponent) - 1;
}

void DurationHistogram::Add(uint64_t ns) {
  ++counts_[BucketOf(ns)];
  ++count_;
  max_ns_ = std::max(max_ns_, ns);
}

uint64_t DurationHistogram::Percentile(double percent) const {
  const auto wanted = static_cast<uint64_t>(std::ceil(static_cast<double>(count_) * percent / 100));
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets && count_ != 0; ++bucket) {
    seen += counts_[bucket];
    if (seen >= wanted) return std::min(EndOf(bucket), max_ns_);
  }
  return max_ns_;
}

void FailoverRecord::AddRecovery(const FailoverTimes& times) {
  fence_.Add(Between(times.detected_ns, times.fenced_ns));
  attach_.Add(Between(times.fenced_ns, times.attached_ns));
  recover_.Add(Between(times.attached_ns, times.recovered_ns));
  whole_.Add(Between(times.detected_ns, times.recovered_ns));
}

void FailoverRecord::AddFirstMessage(const FailoverTimes& times) {
  first_message_.Add(Between(times.recovered_ns, times.first_message_ns));
}

void FailoverRecord::Show(hv::v1::Failovers& shown) const {
  ShowStage("fence", fence_, shown);
  ShowStage("attach", attach_, shown);
  ShowStage("recover", recover_, shown);
  ShowStage("first_message", first_message_, shown);
  ShowStage("whole", whole_, shown);
}

}  // namespace hv::hvd
