#include "ioapic_svc/gsi_routing.h"

#include "gtest/gtest.h"

namespace hv::ioapic {
namespace {

constexpr uint32_t kDevice = 0x60000, kOther = 0x70000;
constexpr uint32_t kGsi = HV_IOAPIC_INPUTS;
constexpr hv_gsi_route kRoute{.address = 0xfee01000, .data = 0x55, .gsi = kGsi, .enabled = 1};

class GsiRoutingTest : public testing::Test {
 protected:
  std::optional<hv_interrupt> Line(bool level, uint32_t from = kDevice) {
    std::optional<hv_interrupt> interrupt;
    accepted_ = routing_.SetLine(from, kGsi, level, interrupt);
    return interrupt;
  }

  GsiRoutingState state_{};
  GsiRouting routing_{state_};
  bool accepted_ = false;
};

TEST_F(GsiRoutingTest, EachWiredGsiHasTheIoapicInputOfItsNumber) {
  for (uint32_t gsi = 0; gsi < HV_IOAPIC_INPUTS; ++gsi) {
    ASSERT_NE(GsiRouting::PinsOf(gsi), nullptr);
    EXPECT_EQ(GsiRouting::PinsOf(gsi)->ioapic_input, gsi);
  }
  EXPECT_EQ(GsiRouting::PinsOf(HV_IOAPIC_INPUTS), nullptr);
}

TEST_F(GsiRoutingTest, IsaIrqsAreTheirGsisButForTheTimer) {
  EXPECT_EQ(GsiRouting::PinsOf(0)->irq, std::nullopt);
  EXPECT_EQ(GsiRouting::PinsOf(HV_GSI_PIT)->irq, 0);
  for (uint32_t gsi : {1u, 3u, 4u, 8u, 9u, 15u}) {
    EXPECT_EQ(GsiRouting::PinsOf(gsi)->irq, gsi);
  }
  EXPECT_EQ(GsiRouting::PinsOf(16)->irq, std::nullopt);
}

TEST_F(GsiRoutingTest, ARiseOfARoutedGsiWritesItsMessage) {
  ASSERT_TRUE(routing_.SetRoute(kDevice, kRoute));
  const auto interrupt = Line(true);
  ASSERT_TRUE(interrupt.has_value());
  EXPECT_EQ(interrupt->destination, 1u);
  EXPECT_EQ(interrupt->vector, 0x55);
  EXPECT_FALSE(Line(true).has_value()) << "it was up already";
  EXPECT_FALSE(Line(false).has_value());
  EXPECT_TRUE(Line(true).has_value());
}

TEST_F(GsiRoutingTest, ANewMessageTakesThePlaceOfTheOld) {
  ASSERT_TRUE(routing_.SetRoute(kDevice, kRoute));
  hv_gsi_route moved = kRoute;
  moved.data = 0x66;
  ASSERT_TRUE(routing_.SetRoute(kDevice, moved));
  EXPECT_EQ(Line(true)->vector, 0x66);
}

TEST_F(GsiRoutingTest, AnUnroutedGsiIsRefused) {
  EXPECT_FALSE(Line(true).has_value());
  EXPECT_FALSE(accepted_);
}

TEST_F(GsiRoutingTest, OnlyTheOwnerMovesTheLineOrTheRoute) {
  ASSERT_TRUE(routing_.SetRoute(kDevice, kRoute));
  EXPECT_FALSE(Line(true, kOther).has_value());
  EXPECT_FALSE(accepted_);
  EXPECT_FALSE(routing_.SetRoute(kOther, kRoute));
}

TEST_F(GsiRoutingTest, AGsiGivenUpMayBeTakenByAnother) {
  ASSERT_TRUE(routing_.SetRoute(kDevice, kRoute));
  hv_gsi_route given_up = kRoute;
  given_up.enabled = 0;
  ASSERT_TRUE(routing_.SetRoute(kDevice, given_up));
  EXPECT_FALSE(Line(true).has_value());
  EXPECT_TRUE(routing_.SetRoute(kOther, kRoute));
}

TEST_F(GsiRoutingTest, WiredAndAbsentGsisTakeNoMessage) {
  hv_gsi_route route = kRoute;
  for (uint32_t gsi : {0u, HV_IOAPIC_INPUTS - 1u, uint32_t{HV_GSI_COUNT}, UINT32_MAX}) {
    route.gsi = gsi;
    EXPECT_FALSE(routing_.SetRoute(kDevice, route)) << gsi;
  }
}

}  // namespace
}  // namespace hv::ioapic
