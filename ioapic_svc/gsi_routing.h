// The GSI routing table: where each global system interrupt leads. The first are wired to pins of
// the chips as on a PC; the others lead to messages that devices choose.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "abi/message.h"
#include "abi/platform.h"
#include "ioapic_svc/msi.h"

namespace hv::ioapic {

// The chip inputs behind a wired GSI.
struct Pins {
  uint8_t ioapic_input;
  std::optional<uint8_t> irq;  // of the 8259 pair
};

// ISA IRQ n is GSI n but for IRQ 0, which is GSI 2, as the MADT's interrupt source override says;
// IRQ 2 is the cascade.
inline constexpr std::array<Pins, HV_IOAPIC_INPUTS> kWiring = {{
    {0, {}},  {1, 1},   {2, 0},   {3, 3},   {4, 4},   {5, 5},   {6, 6},   {7, 7},
    {8, 8},   {9, 9},   {10, 10}, {11, 11}, {12, 12}, {13, 13}, {14, 14}, {15, 15},
    {16, {}}, {17, {}}, {18, {}}, {19, {}}, {20, {}}, {21, {}}, {22, {}}, {23, {}},
}};

// Plain data: one GSI from HV_IOAPIC_INPUTS on. Owner 0: leads nowhere.
struct MsiRoute {
  uint64_t address;
  uint32_t data;
  uint32_t owner;  // endpoint of the device that set it
  uint32_t level;  // of its line
  uint32_t reserved;
};

inline constexpr uint32_t kMsiGsis = HV_GSI_COUNT - HV_IOAPIC_INPUTS;

// Plain data: lives in the state segment.
struct GsiRoutingState {
  MsiRoute msi[kMsiGsis];
};

class GsiRouting {
 public:
  explicit GsiRouting(GsiRoutingState& state) : s_(state) {}

  // The pins behind `gsi`; null: it has none.
  static const Pins* PinsOf(uint32_t gsi) { return gsi < kWiring.size() ? &kWiring[gsi] : nullptr; }

  // A device sets or gives up the message behind a GSI. Who comes first owns it until it gives it
  // up. False: not such a GSI, or somebody else's.
  bool SetRoute(uint32_t from, const hv_gsi_route& route);

  // The owner moves the line of a GSI that leads to a message: a rise writes it. False: not such a
  // GSI, or somebody else's.
  bool SetLine(uint32_t from, uint32_t gsi, bool level, std::optional<hv_interrupt>& interrupt);

 private:
  MsiRoute* Find(uint32_t gsi);

  GsiRoutingState& s_;
};

}  // namespace hv::ioapic
