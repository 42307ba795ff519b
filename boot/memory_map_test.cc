#include "boot/memory_map.h"

#include <gtest/gtest.h>

#include "abi/platform.h"

namespace hv::boot {
namespace {

// The map depends on how much RAM there is and touches none of it.
std::vector<MemoryRange> MapOf(uint64_t bytes) {
  return MemoryMap(GuestMemory(std::span(static_cast<std::byte*>(nullptr), bytes)));
}

TEST(MemoryMapTest, SmallMachine) {
  EXPECT_EQ(MapOf(64 << 20), (std::vector<MemoryRange>{
                                 {0, 0x9fc00, MemoryType::kUsable},
                                 {0x9fc00, 0x60400, MemoryType::kReserved},
                                 {0x100000, 63 << 20, MemoryType::kUsable},
                             }));
}

TEST(MemoryMapTest, WhatDoesNotFitBelowTheDevicesComesAbove4GiB) {
  const auto exactly = MapOf(HV_LOW_RAM_END);
  ASSERT_EQ(exactly.size(), 3u);
  EXPECT_EQ(exactly[2].start + exactly[2].bytes, HV_LOW_RAM_END);
  const auto more = MapOf(HV_LOW_RAM_END + 4096);
  ASSERT_EQ(more.size(), 4u);
  EXPECT_EQ(more[2], exactly[2]);
  EXPECT_EQ(more[3], (MemoryRange{HV_HIGH_RAM_BASE, 4096, MemoryType::kUsable}));
}

TEST(MemoryMapTest, AcpiTablesAreReserved) {
  const MemoryRange reserved = MapOf(64 << 20)[1];
  EXPECT_LE(reserved.start, HV_ACPI_TABLES_BASE);
  EXPECT_GT(reserved.start + reserved.bytes, HV_ACPI_TABLES_END);
}

}  // namespace
}  // namespace hv::boot
