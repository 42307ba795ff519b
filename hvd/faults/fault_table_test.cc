#include "hvd/faults/fault_table.h"

#include <gtest/gtest.h>

namespace hv::hvd {
namespace {

hv_fault Plan(uint32_t id) {
  return {.id = id, .point = HV_FAULT_POINT_SEND, .every = 1, .passes = 5, .fired = 4};
}

TEST(FaultTableTest, WhatIsSetIsThereWithNothingCounted) {
  hv_fault_table memory{};
  FaultTable table(&memory);
  ASSERT_TRUE(table.Set(Plan(7)).ok());
  EXPECT_EQ(memory.armed, 1u);
  ASSERT_EQ(table.All().size(), 1u);
  EXPECT_EQ(table.All()[0].id, 7u);
  EXPECT_EQ(table.All()[0].passes + table.All()[0].fired, 0u);
}

TEST(FaultTableTest, WhatIsClearedIsGoneAndItsPlaceFree) {
  hv_fault_table memory{};
  FaultTable table(&memory);
  for (uint32_t id = 1; id <= HV_FAULTS; ++id) ASSERT_TRUE(table.Set(Plan(id)).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(table.Set(Plan(99))));
  EXPECT_TRUE(table.Clear(3));
  EXPECT_FALSE(table.Clear(3));
  EXPECT_EQ(memory.armed, HV_FAULTS - 1);
  EXPECT_TRUE(table.Set(Plan(99)).ok());
  EXPECT_EQ(table.All().size(), HV_FAULTS);
}

}  // namespace
}  // namespace hv::hvd
