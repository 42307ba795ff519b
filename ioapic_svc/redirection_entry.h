// A redirection table entry of the I/O APIC as a value (82093AA datasheet, 3.2.4).
#pragma once

#include <cstdint>

#include "abi/message.h"

namespace hv::ioapic {

//  63          56 55      17  16   15    14    13    12    11   10      8 7        0
// +--------------+----------+----+-----+-----+-----+-----+----+----------+----------+
// | destination  | reserved |mask| trig| rirr| pol | stat|dest| delivery |  vector  |
// +--------------+----------+----+-----+-----+-----+-----+----+----------+----------+
class RedirectionEntry {
 public:
  explicit constexpr RedirectionEntry(uint64_t bits) : bits_(bits) {}

  uint8_t vector() const { return bits_ & 0xff; }
  uint8_t delivery_mode() const { return bits_ >> 8 & 7; }  // enum hv_delivery_mode
  bool logical() const { return (bits_ >> 11 & 1) != 0; }
  bool remote_irr() const { return (bits_ & kRemoteIrr) != 0; }
  bool masked() const { return (bits_ & kMasked) != 0; }
  uint8_t destination() const { return static_cast<uint8_t>(bits_ >> 56); }
  uint64_t bits() const { return bits_; }

  // SMI, NMI, INIT and ExtINT are edges whatever the trigger mode says: no EOI would end them.
  bool level() const {
    return (bits_ >> 15 & 1) != 0 && delivery_mode() <= HV_DELIVERY_LOWEST_PRIORITY;
  }

  hv_interrupt Message() const {
    hv_interrupt interrupt{};
    interrupt.destination = destination();
    interrupt.vector = vector();
    interrupt.delivery_mode = delivery_mode();
    interrupt.logical = logical();
    interrupt.level = level();
    interrupt.assert_level = 1;
    return interrupt;
  }

  static constexpr uint64_t kDeliveryStatus = 1ull << 12;  // always idle: delivery takes no time
  static constexpr uint64_t kRemoteIrr = 1ull << 14;
  static constexpr uint64_t kMasked = 1ull << 16;
  static constexpr uint64_t kReadOnly = kDeliveryStatus | kRemoteIrr;
  // The polarity bit is storage: a line's level is 1 while its source asks, whatever the voltage.
  static constexpr uint64_t kWritable = 0xff0000000001ffffull & ~kReadOnly;

 private:
  uint64_t bits_;
};

}  // namespace hv::ioapic
