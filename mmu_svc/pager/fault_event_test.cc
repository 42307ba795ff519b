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
  EXPECT_EQ(ReadFault(Fault(kWindow.address), kWindow), (PageFault{0, false}));
  EXPECT_EQ(ReadFault(Fault(kWindow.address + 0x3123), kWindow), (PageFault{0x3000, false}));
  EXPECT_EQ(ReadFault(Fault(kWindow.address + 0xffff), kWindow), (PageFault{0xf000, false}));
}

TEST(FaultEventTest, ThatItWasAWriteChangesNothing) {
  EXPECT_EQ(ReadFault(Fault(kWindow.address, UFFD_PAGEFAULT_FLAG_WRITE), kWindow),
            (PageFault{0, false}));
}

TEST(FaultEventTest, AddressesOutsideGuestRamAreNone) {
  for (const uint64_t address : {uint64_t{0}, kWindow.address - 1, kWindow.address + kWindow.bytes,
                                 UINT64_MAX, kWindow.address + (uint64_t{1} << 63)}) {
    EXPECT_EQ(ReadFault(Fault(address), kWindow), std::nullopt) << address;
  }
}

TEST(FaultEventTest, AWriteToAProtectedPageIsToldFromAMissingPage) {
  const uint64_t flags = UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE;
  EXPECT_EQ(ReadFault(Fault(kWindow.address + 0x3123, flags), kWindow), (PageFault{0x3000, true}));
  EXPECT_EQ(ReadFault(Fault(kWindow.address + 0x10000, flags), kWindow), std::nullopt);
}

TEST(FaultEventTest, OtherFaultsAndEventsAreNone) {
  EXPECT_EQ(ReadFault(Fault(kWindow.address, UFFD_PAGEFAULT_FLAG_MINOR), kWindow), std::nullopt);
  for (int event = 0; event < 256; ++event) {
    if (event == UFFD_EVENT_PAGEFAULT) continue;
    uffd_msg message = Fault(kWindow.address);
    message.event = static_cast<uint8_t>(event);
    EXPECT_EQ(ReadFault(message, kWindow), std::nullopt) << event;
  }
}

}  // namespace
}  // namespace hv::mmu
