#include "hv_kernel/kvm/write_zones.h"

#include <gtest/gtest.h>

#include "abi/endpoint.h"

namespace hv::kvm {
namespace {

constexpr uint16_t kLate = HV_ROUTE_POSTED_WRITES | HV_ROUTE_LATE_WRITES;
constexpr uint32_t kService = HV_ENDPOINT(HV_ROLE_SERIAL, 0);

hv_route Route(hv_space space, uint64_t first, uint64_t last, uint16_t flags) {
  return {first, last, kService, static_cast<uint16_t>(space), flags, 0};
}

constexpr Capabilities kAll{.late_memory = true, .late_ports = true, .counted_ports = true};

TEST(WriteZonesTest, LateRoutesAreZonesAndOthersAreNot) {
  const hv_route routes[] = {Route(HV_SPACE_PORT, 0x3f8, 0x3f8, kLate),
                             Route(HV_SPACE_PORT, 0x3f9, 0x3ff, HV_ROUTE_POSTED_WRITES),
                             Route(HV_SPACE_MMIO, 0xfed00000, 0xfed003ff, kLate),
                             Route(HV_SPACE_MMIO, 0xfee00000, 0xfee00fff, 0)};
  const auto plan = WriteZones::PlanFor(routes, kAll);
  ASSERT_EQ(plan.late.size(), 2u);
  EXPECT_EQ(plan.late[0].addr, 0x3f8u);
  EXPECT_EQ(plan.late[0].size, 1u);
  EXPECT_EQ(plan.late[0].pio, 1u);
  EXPECT_EQ(plan.late[1].addr, 0xfed00000u);
  EXPECT_EQ(plan.late[1].size, 0x400u);
  EXPECT_EQ(plan.late[1].pio, 0u);
  EXPECT_TRUE(plan.counted.empty());
}

TEST(WriteZonesTest, ACountedRouteIsEachOfItsPorts) {
  const hv_route routes[] = {Route(HV_SPACE_PORT, 0x80, 0x82, HV_ROUTE_COUNTED_WRITES),
                             Route(HV_SPACE_MMIO, 0x80, 0x82, HV_ROUTE_COUNTED_WRITES)};
  EXPECT_EQ(WriteZones::PlanFor(routes, kAll).counted, (std::vector<uint16_t>{0x80, 0x81, 0x82}));
}

TEST(WriteZonesTest, WhatKvmDoesNotOfferLeavesTheGuest) {
  const hv_route routes[] = {Route(HV_SPACE_PORT, 0x80, 0x80, HV_ROUTE_COUNTED_WRITES),
                             Route(HV_SPACE_PORT, 0x3f8, 0x3f8, kLate),
                             Route(HV_SPACE_MMIO, 0xfed00000, 0xfed003ff, kLate)};
  const auto nothing = WriteZones::PlanFor(routes, {});
  EXPECT_TRUE(nothing.late.empty());
  EXPECT_TRUE(nothing.counted.empty());
  const auto memory = WriteZones::PlanFor(routes, {.late_memory = true});
  ASSERT_EQ(memory.late.size(), 1u);
  EXPECT_EQ(memory.late[0].pio, 0u);
}

TEST(WriteZonesTest, WhatAMapAsksForIsBounded) {
  std::vector<hv_route> routes{Route(HV_SPACE_PORT, 0, 0xffff, HV_ROUTE_COUNTED_WRITES),
                               Route(HV_SPACE_MMIO, 0, UINT64_MAX, kLate),
                               Route(HV_SPACE_MMIO, 0, UINT32_MAX, kLate)};
  EXPECT_TRUE(WriteZones::PlanFor(routes, kAll).counted.empty());
  EXPECT_TRUE(WriteZones::PlanFor(routes, kAll).late.empty());
  for (uint64_t port = 0; port < 200; ++port) {
    routes.push_back(Route(HV_SPACE_PORT, port, port, kLate));
    routes.push_back(Route(HV_SPACE_PORT, 200 + port, 200 + port, HV_ROUTE_COUNTED_WRITES));
  }
  EXPECT_EQ(WriteZones::PlanFor(routes, kAll).late.size(), WriteZones::kMostLate);
  EXPECT_EQ(WriteZones::PlanFor(routes, kAll).counted.size(), WriteZones::kMostCounted);
}

}  // namespace
}  // namespace hv::kvm
