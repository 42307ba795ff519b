// The PM1 registers of ACPI fixed hardware (ACPI 6.4, 4.8.3.1 and 4.8.3.2): status, enable,
// control.
#pragma once

#include <cstdint>

namespace hv::power {

// Plain data.
struct Pm1State {
  uint16_t status;
  uint16_t enable;
  uint16_t control;
};

class Pm1 {
 public:
  explicit Pm1(Pm1State& state) : s_(state) {}

  void Reset();

  // The event block: status in bytes 0 and 1, enable in bytes 2 and 3. REQUIRES: offset < 4.
  uint8_t ReadEvent(uint16_t offset) const;
  void WriteEvent(uint16_t offset, uint8_t value);

  // The control register. REQUIRES: offset < 2.
  uint8_t ReadControl(uint16_t offset) const;
  // True: the guest goes to S5. Other sleep types are not offered (DSDT) and do nothing.
  [[nodiscard]] bool WriteControl(uint16_t offset, uint8_t value);

  void PressPowerButton();

  // The level of the system control interrupt.
  bool sci() const { return (s_.status & s_.enable) != 0; }

  // Drops bits that the registers do not have.
  void Sanitize();

 private:
  Pm1State& s_;
};

}  // namespace hv::power
