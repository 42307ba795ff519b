// The clock that KVM offers its guests, by which they learn the TSC's rate and the time of day
// without measuring, so that neither depends on how busy the host is (Linux,
// Documentation/virt/kvm/x86/msr.rst: MSR_KVM_SYSTEM_TIME_NEW and MSR_KVM_WALL_CLOCK_NEW).
#pragma once

#include <cstdint>
#include <optional>

#include "abi/message.h"

namespace hv::vcpu {

inline constexpr uint32_t kWallClockMsr = 0x4b564d00;
inline constexpr uint32_t kSystemTimeMsr = 0x4b564d01;

// A guest CPU's TSC counts at one rate for ever: what these records say changes only when the guest
// moves it.
class ParavirtualClock {
 public:
  // `realtime_base_ns`: Unix time at machine time 0; what lies before 1970 counts as 1970.
  // `tsc_adjust`: the guest's TSC at machine time 0, moved there for the `tsc_moves`th time.
  ParavirtualClock(uint64_t tsc_hz, int64_t realtime_base_ns, uint64_t tsc_adjust = 0,
                   uint32_t tsc_moves = 0)
      : tsc_hz_(tsc_hz),
        realtime_base_ns_(realtime_base_ns),
        tsc_adjust_(tsc_adjust),
        tsc_moves_(tsc_moves) {}

  // What a write of `value` to one of the two MSRs asks to have stored in guest memory; nothing
  // when it switches the clock off. REQUIRES: `msr` is one of the two.
  std::optional<hv_store> StoreFor(uint32_t msr, uint64_t value) const;

 private:
  uint64_t tsc_hz_;
  int64_t realtime_base_ns_;
  uint64_t tsc_adjust_;
  uint32_t tsc_moves_;
};

// ns = (ticks * 2^shift * multiplier) / 2^32. `multiplier` has its highest bit set.
struct TscScale {
  uint32_t multiplier;
  int8_t shift;
};
// REQUIRES: 0 < tsc_hz < 2^62.
TscScale ScaleOf(uint64_t tsc_hz);

}  // namespace hv::vcpu
