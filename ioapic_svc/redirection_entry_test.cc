#include "ioapic_svc/redirection_entry.h"

#include "gtest/gtest.h"

namespace hv::ioapic {
namespace {

TEST(RedirectionEntryTest, FieldsLieWhereTheDatasheetHasThem) {
  const RedirectionEntry entry(0xab0000000001d9efull);
  EXPECT_EQ(entry.vector(), 0xef);
  EXPECT_EQ(entry.delivery_mode(), HV_DELIVERY_LOWEST_PRIORITY);
  EXPECT_TRUE(entry.logical());
  EXPECT_TRUE(entry.remote_irr());
  EXPECT_TRUE(entry.level());
  EXPECT_TRUE(entry.masked());
  EXPECT_EQ(entry.destination(), 0xab);
}

TEST(RedirectionEntryTest, ItsMessageCarriesAllThatTheLocalApicNeeds) {
  const hv_interrupt message = RedirectionEntry(0x0300000000008831ull).Message();
  EXPECT_EQ(message.destination, 3u);
  EXPECT_EQ(message.vector, 0x31);
  EXPECT_EQ(message.delivery_mode, HV_DELIVERY_FIXED);
  EXPECT_EQ(message.logical, 1);
  EXPECT_EQ(message.level, 1);
  EXPECT_EQ(message.assert_level, 1);
}

class EdgeOnlyTest : public testing::TestWithParam<hv_delivery_mode> {};

TEST_P(EdgeOnlyTest, IsAnEdgeThoughProgrammedLevel) {
  const RedirectionEntry entry(1ull << 15 | static_cast<uint64_t>(GetParam()) << 8);
  EXPECT_FALSE(entry.level());
  EXPECT_EQ(entry.Message().level, 0);
  EXPECT_EQ(entry.Message().delivery_mode, GetParam());
}
INSTANTIATE_TEST_SUITE_P(Modes, EdgeOnlyTest,
                         testing::Values(HV_DELIVERY_SMI, HV_DELIVERY_NMI, HV_DELIVERY_INIT,
                                         HV_DELIVERY_EXTINT));

}  // namespace
}  // namespace hv::ioapic
