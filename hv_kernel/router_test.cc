#include "hv_kernel/router.h"

#include <memory>

#include "abi/endpoint.h"
#include "gtest/gtest.h"

namespace hv {
namespace {

constexpr uint32_t kSerial = HV_ENDPOINT(HV_ROLE_SERIAL, 0);
constexpr uint32_t kIoapic = HV_ENDPOINT(HV_ROLE_IOAPIC, 0);
constexpr uint32_t kMmu = HV_ENDPOINT(HV_ROLE_MMU, 0);

class RouterTest : public testing::Test {
 protected:
  RouterTest() : table_(std::make_unique<hv_route_table>()) {
    table_->header = {HV_SEGMENT_MAGIC, HV_SEGMENT_ROUTE_TABLE, HV_ABI_MAJOR, HV_ABI_MINOR};
    table_->generation = 2;
  }
  void AddRoute(uint16_t space, uint64_t first, uint64_t last, uint32_t endpoint,
                uint16_t flags = 0) {
    table_->routes[table_->route_count++] = {first, last, endpoint, space, flags, 0};
  }
  void AddSlot(uint64_t address, uint64_t bytes) {
    table_->slots[table_->slot_count++] = {address, bytes, 0, 0, 0};
  }

  std::unique_ptr<hv_route_table> table_;
  Router router_;
};

TEST_F(RouterTest, FindsPortsAtBothEndsOfARange) {
  AddRoute(HV_SPACE_PORT, 0x3f8, 0x3ff, kSerial);
  ASSERT_TRUE(router_.Load(*table_).ok());
  EXPECT_EQ(router_.Find(HV_SPACE_PORT, 0x3f8).endpoint, kSerial);
  EXPECT_EQ(router_.Find(HV_SPACE_PORT, 0x3ff).endpoint, kSerial);
  EXPECT_EQ(router_.Find(HV_SPACE_PORT, 0x3f7).endpoint, kMmu);
  EXPECT_EQ(router_.Find(HV_SPACE_PORT, 0x400).endpoint, kMmu);
}

TEST_F(RouterTest, FindsMmioAtBothEndsOfARange) {
  AddRoute(HV_SPACE_MMIO, 0xfec00000, 0xfec00fff, kIoapic);
  AddRoute(HV_SPACE_MMIO, 0xfee00000, 0xfee00fff, HV_ENDPOINT(HV_ROLE_VCPU, 0));
  ASSERT_TRUE(router_.Load(*table_).ok());
  EXPECT_EQ(router_.Find(HV_SPACE_MMIO, 0xfec00000).endpoint, kIoapic);
  EXPECT_EQ(router_.Find(HV_SPACE_MMIO, 0xfec00fff).endpoint, kIoapic);
  EXPECT_EQ(router_.Find(HV_SPACE_MMIO, 0xfec01000).endpoint, kMmu);
  EXPECT_EQ(router_.Find(HV_SPACE_MMIO, 0).endpoint, kMmu);
  EXPECT_EQ(router_.Find(HV_SPACE_MMIO, UINT64_MAX).endpoint, kMmu);
}

TEST_F(RouterTest, KeepsPortsAndMemoryApart) {
  AddRoute(HV_SPACE_PORT, 0x70, 0x71, kSerial);
  AddRoute(HV_SPACE_MMIO, 0x70, 0x71, kIoapic);
  ASSERT_TRUE(router_.Load(*table_).ok());
  EXPECT_EQ(router_.Find(HV_SPACE_PORT, 0x70).endpoint, kSerial);
  EXPECT_EQ(router_.Find(HV_SPACE_MMIO, 0x70).endpoint, kIoapic);
}

TEST_F(RouterTest, SaysWhichWritesArePosted) {
  AddRoute(HV_SPACE_PORT, 0x3f8, 0x3f8, kSerial, HV_ROUTE_POSTED_WRITES);
  AddRoute(HV_SPACE_PORT, 0x3f9, 0x3ff, kSerial);
  ASSERT_TRUE(router_.Load(*table_).ok());
  EXPECT_TRUE(router_.Find(HV_SPACE_PORT, 0x3f8).posted_writes);
  EXPECT_FALSE(router_.Find(HV_SPACE_PORT, 0x3f9).posted_writes);
}

TEST_F(RouterTest, SaysWhichWritesAreCounted) {
  AddRoute(HV_SPACE_PORT, 0x80, 0x80, kMmu, HV_ROUTE_COUNTED_WRITES);
  ASSERT_TRUE(router_.Load(*table_).ok());
  EXPECT_TRUE(router_.Find(HV_SPACE_PORT, 0x80).counted_writes);
  EXPECT_EQ(router_.Find(HV_SPACE_PORT, 0x80).endpoint, kMmu) << "who answers reads";
  EXPECT_FALSE(router_.Find(HV_SPACE_PORT, 0x81).counted_writes);
}

TEST_F(RouterTest, RefusesFlagsThatContradictEachOther) {
  AddRoute(HV_SPACE_PORT, 0x3f8, 0x3f8, kSerial);
  for (const uint16_t flags : {HV_ROUTE_LATE_WRITES, HV_ROUTE_LATE_WRITES | HV_ROUTE_COUNTED_WRITES,
                               HV_ROUTE_POSTED_WRITES | HV_ROUTE_COUNTED_WRITES}) {
    table_->routes[0].flags = flags;
    const absl::Status status = router_.Load(*table_);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << flags;
    EXPECT_NE(status.message().find("port route 0 has flags 0x"), std::string::npos) << status;
  }
}

TEST_F(RouterTest, FlagsOfANewerMinorAreIgnored) {
  AddRoute(HV_SPACE_PORT, 0x3f8, 0x3f8, kSerial, HV_ROUTE_POSTED_WRITES | 0x100);
  ASSERT_TRUE(router_.Load(*table_).ok());
  EXPECT_TRUE(router_.Find(HV_SPACE_PORT, 0x3f8).posted_writes);
}

TEST_F(RouterTest, AnUnpublishedTableIsUnavailable) {
  table_->generation = 0;
  EXPECT_EQ(router_.Load(*table_).code(), absl::StatusCode::kUnavailable);
}

TEST_F(RouterTest, ATableForEverBeingWrittenIsUnavailable) {
  table_->generation = 3;
  EXPECT_EQ(router_.Load(*table_).code(), absl::StatusCode::kUnavailable);
}

TEST_F(RouterTest, RefusesOverlappingRoutes) {
  AddRoute(HV_SPACE_PORT, 0x3f8, 0x3ff, kSerial);
  AddRoute(HV_SPACE_PORT, 0x3ff, 0x400, kIoapic);
  EXPECT_EQ(router_.Load(*table_).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(RouterTest, RefusesPortsPastTheLast) {
  AddRoute(HV_SPACE_PORT, 0xfff0, 0x10000, kSerial);
  EXPECT_EQ(router_.Load(*table_).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(RouterTest, RefusesMoreRoutesThanThereIsRoomFor) {
  table_->route_count = HV_MAX_ROUTES + 1;
  EXPECT_EQ(router_.Load(*table_).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(RouterTest, RefusesAnotherMajorNamingBoth) {
  table_->header.major = HV_ABI_MAJOR + 1;
  const absl::Status status = router_.Load(*table_);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find(std::to_string(HV_ABI_MAJOR + 1)), std::string::npos);
}

TEST_F(RouterTest, RefusesMemoryThatWrapsAround) {
  AddSlot(UINT64_MAX - 4095, 8192);
  EXPECT_EQ(router_.Load(*table_).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(RouterTest, ARefusedTableLeavesTheOldOneInForce) {
  AddRoute(HV_SPACE_PORT, 0x3f8, 0x3ff, kSerial);
  ASSERT_TRUE(router_.Load(*table_).ok());
  AddRoute(HV_SPACE_PORT, 0x10, 0x1, kIoapic);
  table_->generation = 4;
  EXPECT_FALSE(router_.Load(*table_).ok());
  EXPECT_EQ(router_.generation(), 2u);
  EXPECT_EQ(router_.Find(HV_SPACE_PORT, 0x3f8).endpoint, kSerial);
}

}  // namespace
}  // namespace hv
