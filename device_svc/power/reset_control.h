// The reset control register at port CF9H (Intel PIIX4 and ICH datasheets, RC / RST_CNT).
#pragma once

#include <cstdint>

namespace hv::power {

class ResetControl {
 public:
  static constexpr uint8_t kSystemReset = 1u << 1, kResetCpu = 1u << 2, kFullReset = 1u << 3;
  static constexpr uint8_t kBits = kSystemReset | kResetCpu | kFullReset;

  explicit ResetControl(uint8_t& value) : value_(value) {}

  uint8_t Read() const { return value_; }
  // True: reset. It takes a rise of RST_CPU, whatever kind SYS_RST asks for: a reset of the CPUs
  // alone is not offered, nor by QEMU.
  [[nodiscard]] bool Write(uint8_t value) {
    const bool reset = (value & ~value_ & kResetCpu) != 0;
    value_ = value & kBits;
    return reset;
  }

 private:
  uint8_t& value_;
};

}  // namespace hv::power
