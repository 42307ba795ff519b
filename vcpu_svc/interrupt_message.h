// An interrupt on its way to one or more local APICs: what an ICR write or a message from outside
// asks for (Intel SDM vol. 3, 11.6 and 11.11).
#pragma once

#include <cstdint>

#include "vcpu_svc/apic_registers.h"

namespace hv::vcpu {

struct Destination {
  uint32_t id;
  bool logical;
  // From an I/O APIC or as an MSI: eight bits wide, and FFH means everybody in x2APIC mode too.
  bool from_outside;
};

struct InterruptMessage {
  Destination destination;
  Shorthand shorthand;
  uint8_t vector;
  uint8_t delivery_mode;  // enum hv_delivery_mode, unchecked
  bool level_triggered;
  bool asserts;
};

}  // namespace hv::vcpu
