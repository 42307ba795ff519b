#include "hvd/machine/memory_map.h"

#include "abi/endpoint.h"
#include "abi/platform.h"
#include "abi/route_table.h"
#include "gtest/gtest.h"

namespace hv::hvd {
namespace {

hv::v1::MmuServiceConfig Map() {
  hv::v1::MachineConfig config;
  config.set_memory_bytes(64 << 20);
  return BuildMemoryMap(config);
}

hv::v1::Route RouteOf(hv_space space, uint64_t address) {
  const auto map = Map();
  for (const auto& route : map.routes()) {
    if (route.space() == space && route.first() <= address && address <= route.last()) return route;
  }
  return {};
}

TEST(MemoryMapTest, NothingButTheConsolesOutputMayBeLate) {
  const auto map = Map();
  int late = 0;
  for (const auto& route : map.routes()) {
    if (!route.late_writes()) continue;
    ++late;
    EXPECT_EQ(route.space(), HV_SPACE_PORT);
    EXPECT_EQ(route.first(), uint64_t{HV_PORT_COM1});
    EXPECT_EQ(route.last(), uint64_t{HV_PORT_COM1});
    EXPECT_TRUE(route.posted_writes());
  }
  EXPECT_EQ(late, 1);
}

TEST(MemoryMapTest, TheLocalApicsPostedRegistersAreNotLate) {
  for (const uint64_t at : {0xb0, 0x300, 0x310, 0x380}) {
    const auto route = RouteOf(HV_SPACE_MMIO, HV_LOCAL_APIC_BASE + at);
    EXPECT_TRUE(route.posted_writes()) << at;
    EXPECT_FALSE(route.late_writes()) << at;
  }
}

TEST(MemoryMapTest, WritesOfThePostPortAreCountedAndItsReadsAHoles) {
  const auto route = RouteOf(HV_SPACE_PORT, HV_PORT_POST);
  EXPECT_TRUE(route.counted_writes());
  EXPECT_EQ(route.first(), route.last());
  EXPECT_EQ(route.endpoint(), HV_ENDPOINT(HV_ROLE_MMU, 0));
}

}  // namespace
}  // namespace hv::hvd
