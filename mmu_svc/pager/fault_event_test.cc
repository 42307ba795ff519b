#include "mmu_svc/pager/fault_event.h"

#include <gtest/gtest.h>

namespace hv::mmu {
namespace {

constexpr Window kWindow{.address = 0x7f0000000000, .bytes = 0x10000};

uffd_msg Fault(uint64_t address, uint64_t flags = 0) {
  uffd_msg message{};
  message.event = UFFD_EVENT_PAGEFAULT;
  message.arg.pagefault.address = address;
  message.arg.pagefault.flags = flags;
  return message;
}

TEST(FaultEventTest, AMissingPageIsAnOffsetInGuestRam) {
  EXPECT_EQ(MissingPage(Fault(kWindow.address), kWindow), 0u);
  EXPECT_EQ(MissingPage(Fault(kWindow.address + 0x3123), kWindow), 0x3000u);
  EXPECT_EQ(MissingPage(Fault(kWindow.address + 0xffff), kWindow), 0xf000u);
}

TEST(FaultEventTest, ThatItWasAWriteChangesNothing) {
  EXPECT_EQ(MissingPage(Fault(kWindow.address, UFFD_PAGEFAULT_FLAG_WRITE), kWindow), 0u);
}

TEST(FaultEventTest, AddressesOutsideGuestRamAreNone) {
  for (const uint64_t address : {uint64_t{0}, kWindow.address - 1, kWindow.address + kWindow.bytes,
                                 UINT64_MAX, kWindow.address + (uint64_t{1} << 63)}) {
    EXPECT_EQ(MissingPage(Fault(address), kWindow), std::nullopt) << address;
  }
}

TEST(FaultEventTest, OtherFaultsAndEventsAreNone) {
  EXPECT_EQ(MissingPage(Fault(kWindow.address, UFFD_PAGEFAULT_FLAG_WP), kWindow), std::nullopt);
  EXPECT_EQ(MissingPage(Fault(kWindow.address, UFFD_PAGEFAULT_FLAG_MINOR), kWindow), std::nullopt);
  for (int event = 0; event < 256; ++event) {
    if (event == UFFD_EVENT_PAGEFAULT) continue;
    uffd_msg message = Fault(kWindow.address);
    message.event = static_cast<uint8_t>(event);
    EXPECT_EQ(MissingPage(message, kWindow), std::nullopt) << event;
  }
}

}  // namespace
}  // namespace hv::mmu
