// A whole timer_svc for tests, with what vcpu_svc and the guest ask of it.
#pragma once

#include <vector>

#include "abi/platform.h"
#include "service/test_service.h"
#include "timer_svc/rate.h"
#include "timer_svc/timer_core.h"

namespace hv::timer {

// 2024-02-28 23:59:50 UTC, ten seconds before a leap day.
inline constexpr int64_t kTestTimeSeconds = 1'709'164'790;

class TestService : public service::TestService<TimerCore, State> {
 public:
  static constexpr uint32_t kVcpu = HV_ENDPOINT(HV_ROLE_VCPU, 0);

  explicit TestService(uint32_t cpus = 1)
      : service::TestService<TimerCore, State>(TimerCore::Config{
            .cpus = cpus,
            .realtime_base_ns = kTestTimeSeconds * static_cast<int64_t>(kNsPerSecond)}) {}

  uint8_t ReadCmos(uint8_t index) {
    Out(0x70, index);
    return In(0x71);
  }
  void WriteCmos(uint8_t index, uint8_t value) {
    Out(0x70, index);
    Out(0x71, value);
  }
  uint64_t ReadHpet(uint64_t offset) { return Read(HV_SPACE_MMIO, HV_HPET_BASE + offset, 8); }
  void WriteHpet(uint64_t offset, uint64_t value) {
    Write(HV_SPACE_MMIO, HV_HPET_BASE + offset, 8, value);
  }
  void SetPit(uint8_t control, uint16_t count) {
    Out(0x43, control);
    Out(0x40, static_cast<uint8_t>(count));
    Out(0x40, static_cast<uint8_t>(count >> 8));
  }
  bool SetDeadline(uint32_t vcpu, uint64_t time_ns, uint32_t generation) {
    return Send(kVcpu, HV_KIND_DEADLINE_SET,
                hv_deadline{.time_ns = time_ns, .vcpu = vcpu, .generation = generation});
  }

  std::vector<hv_deadline> Expired() { return Take<hv_deadline>(HV_KIND_DEADLINE_EXPIRED); }
  // How often the line of `gsi` rose since the last call; forgets all lines.
  int Rises(uint32_t gsi) {
    int rises = 0;
    for (const hv_line& line : Take<hv_line>(HV_KIND_LINE)) {
      if (line.gsi == gsi && line.level != 0) ++rises;
    }
    return rises;
  }
};

}  // namespace hv::timer
