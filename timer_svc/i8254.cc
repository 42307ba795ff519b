#include "timer_svc/i8254.h"

#include "abi/platform.h"

namespace hv::timer {
namespace {

constexpr uint16_t kControlPort = HV_PORT_PIT + 3;
constexpr uint8_t kReadBack = 3;  // in the place of a counter's number
constexpr uint8_t kNotCount = 1u << 5, kNotStatus = 1u << 4;
constexpr uint8_t kSpeakerGate = 1u << 0, kSpeakerData = 1u << 1;
constexpr uint8_t kRefreshToggle = 1u << 4, kSpeakerOutput = 1u << 5;
constexpr uint64_t kRefreshTicks = 18;  // the refresh request toggles every 15 us
constexpr uint8_t kMode3BothBytes = 0x36;

}  // namespace

void I8254::Reset() {
  s_ = {};
  for (int i = 0; i < 3; ++i) {
    s_.counter[i].gate = i != 2;
    Counter(s_.counter[i]).SetControl(kMode3BothBytes, 0);
  }
}

bool I8254::Has(uint16_t port) {
  return (port >= HV_PORT_PIT && port <= kControlPort) || port == HV_PORT_SPEAKER;
}

void I8254::WriteControl(uint8_t value, uint64_t tick) {
  const uint8_t select = value >> 6;
  if (select != kReadBack) {
    Counter counter(s_.counter[select]);
    if ((value & 0x30) == 0) {
      counter.LatchCount(tick);
    } else {
      counter.SetControl(value, tick);
    }
    return;
  }
  for (int i = 0; i < 3; ++i) {
    if ((value >> (i + 1) & 1) == 0) continue;
    Counter counter(s_.counter[i]);
    if ((value & kNotStatus) == 0) counter.LatchStatus(tick);
    if ((value & kNotCount) == 0) counter.LatchCount(tick);
  }
}

uint8_t I8254::Read(uint16_t port, uint64_t tick) {
  if (port == HV_PORT_SPEAKER) {
    const uint8_t refresh = (tick / kRefreshTicks & 1) != 0 ? kRefreshToggle : 0;
    const uint8_t output = Counter(s_.counter[2]).Output(tick) ? kSpeakerOutput : 0;
    return s_.speaker | refresh | output;
  }
  if (port == kControlPort) return 0xff;  // the control word cannot be read
  return Counter(s_.counter[port - HV_PORT_PIT]).Read(tick);
}

void I8254::Write(uint16_t port, uint8_t value, uint64_t tick) {
  if (port == HV_PORT_SPEAKER) {
    s_.speaker = value & (kSpeakerGate | kSpeakerData);
    Counter(s_.counter[2]).SetGate((value & kSpeakerGate) != 0, tick);
  } else if (port == kControlPort) {
    WriteControl(value, tick);
  } else {
    Counter(s_.counter[port - HV_PORT_PIT]).Write(value, tick);
  }
}

}  // namespace hv::timer
