#include "ioapic_svc/msi.h"

namespace hv::ioapic {
namespace {

constexpr uint64_t kAddressMask = ~uint64_t{0xfffff}, kAddress = 0xfee00000;
constexpr int kDestinationShift = 12;
constexpr uint64_t kLogical = 1u << 2;
constexpr int kDeliveryModeShift = 8;
constexpr uint32_t kAssert = 1u << 14, kLevel = 1u << 15;

}  // namespace

// The redirection hint asks for one CPU of several, which is what lowest priority says already;
// with another delivery mode it is ignored, as it may be.
std::optional<hv_interrupt> Translate(const Msi& msi) {
  if ((msi.address & kAddressMask) != kAddress) return std::nullopt;
  hv_interrupt interrupt{};
  interrupt.destination = static_cast<uint8_t>(msi.address >> kDestinationShift);
  interrupt.vector = static_cast<uint8_t>(msi.data);
  interrupt.delivery_mode = msi.data >> kDeliveryModeShift & 7;
  interrupt.logical = (msi.address & kLogical) != 0;
  interrupt.level = (msi.data & kLevel) != 0;
  // The level bit means something for level-triggered messages alone.
  interrupt.assert_level = interrupt.level == 0 || (msi.data & kAssert) != 0;
  return interrupt;
}

}  // namespace hv::ioapic
