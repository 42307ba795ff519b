#include "device_svc/power/i8042.h"

namespace hv::power {
namespace {

// IBM PC AT Technical Reference, "Keyboard Controller".
constexpr uint8_t kOutputFull = 1u << 0, kSystemFlag = 1u << 2, kCommandLast = 1u << 3,
                  kNotInhibited = 1u << 4, kTimeOut = 1u << 6;
constexpr uint8_t kStatusKept = kOutputFull | kCommandLast | kTimeOut;
// In the command byte. The clock of the second port, which is not there, is off for good.
constexpr uint8_t kConfiguredSystemFlag = 1u << 2, kKeyboardOff = 1u << 4, kSecondOff = 1u << 5;

enum Command : uint8_t {
  kReadConfiguration = 0x20,
  kWriteConfiguration = 0x60,
  kTestSecond = 0xa9,
  kSelfTest = 0xaa,
  kTestKeyboard = 0xab,
  kDisableKeyboard = 0xad,
  kEnableKeyboard = 0xae,
  kReadInputPort = 0xc0,
  kReadOutputPort = 0xd0,
  kWriteOutputPort = 0xd1,
  kPulseFirst = 0xf0  // to FFH: those of output lines 3:0 whose bit is zero
};

constexpr uint8_t kSelfTestPassed = 0x55, kClockLineLow = 1, kTestPassed = 0;
constexpr uint8_t kInputPortNotInhibited = 0x80;
// Output port: bit 0 is the reset line, active low; bit 1 is A20, which is always on.
constexpr uint8_t kNoReset = 1u << 0, kA20 = 1u << 1;
constexpr uint8_t kResend = 0xfe;  // what the controller answers for a keyboard that does not

}  // namespace

void I8042::Reset() { s_ = {.configuration = kConfiguredSystemFlag | kSecondOff}; }

uint8_t I8042::ReadStatus() const {
  const bool tested = (s_.configuration & kConfiguredSystemFlag) != 0;
  return static_cast<uint8_t>(s_.status | kNotInhibited | (tested ? kSystemFlag : 0));
}

uint8_t I8042::ReadData() {
  s_.status &= static_cast<uint8_t>(~(kOutputFull | kTimeOut));
  return s_.output;
}

void I8042::Answer(uint8_t value, uint8_t flags) {
  s_.output = value;
  s_.status = static_cast<uint8_t>((s_.status & kCommandLast) | kOutputFull | flags);
}

bool I8042::WriteCommand(uint8_t command) {
  s_.status |= kCommandLast;
  s_.awaiting_data = 0;
  if (command >= kPulseFirst) return (command & kNoReset) == 0;
  switch (command) {
    case kReadConfiguration: Answer(s_.configuration); break;
    case kWriteConfiguration:
    case kWriteOutputPort: s_.awaiting_data = command; break;
    case kTestSecond: Answer(kClockLineLow); break;
    case kSelfTest:
      s_.configuration |= kConfiguredSystemFlag;
      Answer(kSelfTestPassed);
      break;
    case kTestKeyboard: Answer(kTestPassed); break;
    case kDisableKeyboard: s_.configuration |= kKeyboardOff; break;
    case kEnableKeyboard: s_.configuration &= static_cast<uint8_t>(~kKeyboardOff); break;
    case kReadInputPort: Answer(kInputPortNotInhibited); break;
    case kReadOutputPort: Answer(kNoReset | kA20); break;
    default: break;  // unknown commands are ignored
  }
  return false;
}

bool I8042::WriteData(uint8_t value) {
  s_.status &= static_cast<uint8_t>(~kCommandLast);
  const uint8_t command = s_.awaiting_data;
  s_.awaiting_data = 0;
  switch (command) {
    case kWriteConfiguration: s_.configuration = value | kSecondOff; return false;
    case kWriteOutputPort: return (value & kNoReset) == 0;
    default: Answer(kResend, kTimeOut); return false;  // for the keyboard
  }
}

void I8042::Sanitize() {
  s_.configuration |= kSecondOff;
  s_.status &= kStatusKept;
  if (s_.awaiting_data != kWriteConfiguration && s_.awaiting_data != kWriteOutputPort) {
    s_.awaiting_data = 0;
  }
}

}  // namespace hv::power
