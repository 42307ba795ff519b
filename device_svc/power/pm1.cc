#include "device_svc/power/pm1.h"

#include "abi/platform.h"

namespace hv::power {
namespace {

// Tables 4.11 to 4.13. What has no hardware behind it here can be enabled and never occurs.
constexpr uint16_t kTimer = 1u << 0, kBusMaster = 1u << 4, kGlobalLock = 1u << 5,
                   kPowerButton = 1u << 8, kSleepButton = 1u << 9, kRtc = 1u << 10,
                   kPciExpressWake = 1u << 14, kWake = 1u << 15;
constexpr uint16_t kEnableBits = kTimer | kGlobalLock | kPowerButton | kSleepButton | kRtc;
constexpr uint16_t kStatusBits = kEnableBits | kBusMaster | kPciExpressWake | kWake;
constexpr uint16_t kSciEnable = 1u << 0, kBusMasterReload = 1u << 1, kSleepEnable = 1u << 13;
constexpr int kSleepTypeShift = 10;
constexpr uint16_t kSleepType = 7u << kSleepTypeShift;
// SLP_EN and GBL_RLS are write-only.
constexpr uint16_t kControlKept = kBusMasterReload | kSleepType;

uint8_t ByteOf(uint16_t word, uint16_t i) { return static_cast<uint8_t>(word >> (8 * i)); }
uint16_t WithByte(uint16_t word, uint16_t i, uint8_t value) {
  return static_cast<uint16_t>((word & ~(0xff << (8 * i))) | value << (8 * i));
}

}  // namespace

void Pm1::Reset() {
  s_ = {};
  s_.control = kSciEnable;  // there is no SMM to hand over from
}

uint8_t Pm1::ReadEvent(uint16_t offset) const {
  return offset < 2 ? ByteOf(s_.status, offset) : ByteOf(s_.enable, offset - 2);
}

void Pm1::WriteEvent(uint16_t offset, uint8_t value) {
  if (offset < 2) {
    s_.status &= static_cast<uint16_t>(~(value << (8 * offset)));  // a one clears
  } else {
    s_.enable = WithByte(s_.enable, offset - 2, value) & kEnableBits;
  }
}

uint8_t Pm1::ReadControl(uint16_t offset) const { return ByteOf(s_.control, offset); }

bool Pm1::WriteControl(uint16_t offset, uint8_t value) {
  const uint16_t control = WithByte(s_.control, offset, value);
  s_.control = (control & kControlKept) | kSciEnable;
  return (control & kSleepEnable) != 0 &&
         (control & kSleepType) >> kSleepTypeShift == HV_SLEEP_TYPE_S5;
}

void Pm1::PressPowerButton() { s_.status |= kPowerButton; }

void Pm1::Sanitize() {
  s_.status &= kStatusBits;
  s_.enable &= kEnableBits;
  s_.control = (s_.control & kControlKept) | kSciEnable;
}

}  // namespace hv::power
