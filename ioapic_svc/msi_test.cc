#include "ioapic_svc/msi.h"

#include "gtest/gtest.h"

namespace hv::ioapic {
namespace {

TEST(MsiTest, FixedEdgeToOneCpu) {
  const auto interrupt = Translate({.address = 0xfee05000, .data = 0x0041});
  ASSERT_TRUE(interrupt.has_value());
  EXPECT_EQ(interrupt->destination, 5u);
  EXPECT_EQ(interrupt->vector, 0x41);
  EXPECT_EQ(interrupt->delivery_mode, HV_DELIVERY_FIXED);
  EXPECT_EQ(interrupt->logical, 0);
  EXPECT_EQ(interrupt->level, 0);
  EXPECT_EQ(interrupt->assert_level, 1) << "the level bit of an edge means nothing";
}

TEST(MsiTest, LogicalLowestPriorityWithRedirectionHint) {
  const auto interrupt = Translate({.address = 0xfee0f00c, .data = 0x0162});
  ASSERT_TRUE(interrupt.has_value());
  EXPECT_EQ(interrupt->destination, 0x0fu);
  EXPECT_EQ(interrupt->logical, 1);
  EXPECT_EQ(interrupt->delivery_mode, HV_DELIVERY_LOWEST_PRIORITY);
}

TEST(MsiTest, LevelTriggeredAssertAndDeassert) {
  EXPECT_EQ(Translate({.address = 0xfee00000, .data = 0xc030})->level, 1);
  EXPECT_EQ(Translate({.address = 0xfee00000, .data = 0xc030})->assert_level, 1);
  EXPECT_EQ(Translate({.address = 0xfee00000, .data = 0x8030})->assert_level, 0);
}

TEST(MsiTest, WritesElsewhereAreNoInterrupts) {
  EXPECT_FALSE(Translate({.address = 0xfed00000, .data = 0x41}).has_value());
  EXPECT_FALSE(Translate({.address = 0xfef00000, .data = 0x41}).has_value());
  EXPECT_FALSE(Translate({.address = 0x1'fee00000, .data = 0x41}).has_value());
}

}  // namespace
}  // namespace hv::ioapic
