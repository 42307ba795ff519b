#include "mmu_svc/guest_map.h"

#include "gtest/gtest.h"

namespace hv::mmu {
namespace {

constexpr uint32_t kTimer = 5;

class GuestMapTest : public testing::Test {
 protected:
  void AddRoute(hv_space space, uint64_t first, uint64_t last) {
    map_.routes[map_.route_count++] = {first, last, kTimer, static_cast<uint16_t>(space), 0, 0};
  }
  void AddSlot(uint64_t address, uint64_t bytes, uint64_t offset, uint32_t flags = 0) {
    map_.slots[map_.slot_count++] = {address, bytes, offset, flags, 0};
  }
  // What CheckMap complains of; empty when it does not.
  std::string Complaint() { return std::string(CheckMap(map_).message()); }

  GuestMap map_{};
};

TEST_F(GuestMapTest, AnEmptyMapIsOne) { EXPECT_EQ(Complaint(), ""); }

TEST_F(GuestMapTest, RoutesAreSortedBySpaceAndAddress) {
  AddRoute(HV_SPACE_MMIO, 0x1000, 0x1fff);
  AddRoute(HV_SPACE_PORT, 0x70, 0x71);
  AddRoute(HV_SPACE_PORT, 0x20, 0x21);
  EXPECT_EQ(Complaint(), "");
  EXPECT_EQ(map_.routes[0].first, 0x20u);
  EXPECT_EQ(map_.routes[1].first, 0x70u);
  EXPECT_EQ(map_.routes[2].first, 0x1000u);
}

TEST_F(GuestMapTest, TheSameAddressInBothSpacesIsNoOverlap) {
  AddRoute(HV_SPACE_PORT, 0x70, 0x71);
  AddRoute(HV_SPACE_MMIO, 0x70, 0x71);
  EXPECT_EQ(Complaint(), "");
}

TEST_F(GuestMapTest, RoutesThatShareOneAddressAreRefusedNamingIt) {
  AddRoute(HV_SPACE_MMIO, 0x2000, 0x2fff);
  AddRoute(HV_SPACE_MMIO, 0x1000, 0x2000);
  EXPECT_EQ(Complaint(), "routes: two answer at 0x2000");
}

TEST_F(GuestMapTest, NeighboursAreNoOverlap) {
  AddRoute(HV_SPACE_MMIO, 0x1000, 0x1fff);
  AddRoute(HV_SPACE_MMIO, 0x2000, UINT64_MAX);
  AddSlot(0, kPageBytes, 0);
  AddSlot(kPageBytes, kPageBytes, kPageBytes);
  EXPECT_EQ(Complaint(), "");
}

TEST_F(GuestMapTest, RangesThatAreNoneAreRefused) {
  AddRoute(HV_SPACE_PORT, 0x71, 0x70);
  EXPECT_EQ(Complaint(), "routes: [0x71, 0x70] in space 0 is no range");
  map_.routes[0] = {0xffff, 0x10000, kTimer, HV_SPACE_PORT, 0, 0};
  EXPECT_EQ(Complaint(), "routes: [0xffff, 0x10000] in space 0 is no range");
  map_.routes[0] = {0, 1, kTimer, 2, 0, 0};
  EXPECT_EQ(Complaint(), "routes: [0x0, 0x1] in space 2 is no range");
}

TEST_F(GuestMapTest, WritesOfARouteArePostedMayThenBeLateOrAreCounted) {
  AddRoute(HV_SPACE_PORT, 0x3f8, 0x3f8);
  for (const uint16_t flags : {0, 1, 3, 4}) {
    map_.routes[0].flags = flags;
    EXPECT_EQ(Complaint(), "") << flags;
  }
  for (const uint16_t flags : {2, 5, 6, 7, 8, 0x8001}) {
    map_.routes[0].flags = flags;
    EXPECT_NE(Complaint().find("at 0x3f8: writes are posted"), std::string::npos) << flags;
  }
  map_.routes[0].flags = HV_ROUTE_LATE_WRITES;
  EXPECT_EQ(
      Complaint(),
      "routes: flags 0x2 at 0x3f8: writes are posted (1), posted and late (3), counted (4) or "
      "answered (0)");
}

TEST_F(GuestMapTest, SlotsAreSortedByAddress) {
  AddSlot(0x100000000, kPageBytes, kPageBytes);
  AddSlot(0, kPageBytes, 0);
  EXPECT_EQ(Complaint(), "");
  EXPECT_EQ(map_.slots[0].address, 0u);
}

TEST_F(GuestMapTest, SlotsThatOverlapAreRefusedNamingThePlace) {
  AddSlot(0, 2 * kPageBytes, 0);
  AddSlot(kPageBytes, kPageBytes, 0x10000);
  EXPECT_EQ(Complaint(), "memory: two slots at 0x1000");
}

TEST_F(GuestMapTest, MemoryThatIsNotWholePagesIsRefused) {
  const hv_memory_slot bad[] = {
      {.address = 0x800, .bytes = kPageBytes},
      {.address = 0, .bytes = 0x800},
      {.address = 0, .bytes = kPageBytes, .offset = 1},
      {.address = 0, .bytes = 0},
      {.address = 0 - kPageBytes, .bytes = kPageBytes},  // ends at 2^64
      {.address = 0, .bytes = kPageBytes, .offset = 0 - kPageBytes},
  };
  map_.slot_count = 1;
  for (const hv_memory_slot& slot : bad) {
    map_.slots[0] = slot;
    EXPECT_NE(Complaint().find("are not whole pages"), std::string::npos)
        << std::hex << slot.address << " " << slot.bytes << " " << slot.offset;
  }
}

TEST_F(GuestMapTest, FlagsThatDoNotExistOrContradictAreRefused) {
  AddSlot(0, kPageBytes, 0, 0x10);
  EXPECT_EQ(Complaint(), "memory: flags 0x10 at 0x0");
  map_.slots[0].flags = HV_MEMORY_PROTECTED;
  EXPECT_EQ(Complaint(), "memory: flags 0x4 at 0x0");
  map_.slots[0].flags =
      HV_MEMORY_PROTECTED | HV_MEMORY_READ_ONLY | HV_MEMORY_LOG_DIRTY | HV_MEMORY_WATCHED;
  EXPECT_EQ(Complaint(), "");
}

TEST_F(GuestMapTest, FindSlotKnowsFirstAndLastByteAndHoles) {
  AddSlot(0x1000, 0x2000, 0);
  AddSlot(0x8000, 0x1000, 0x2000);
  EXPECT_EQ(FindSlot(map_, 0xfff), nullptr);
  EXPECT_EQ(FindSlot(map_, 0x1000), &map_.slots[0]);
  EXPECT_EQ(FindSlot(map_, 0x2fff), &map_.slots[0]);
  EXPECT_EQ(FindSlot(map_, 0x3000), nullptr);
  EXPECT_EQ(FindSlot(map_, 0x8fff), &map_.slots[1]);
  EXPECT_EQ(FindSlot(map_, UINT64_MAX), nullptr);
}

}  // namespace
}  // namespace hv::mmu
