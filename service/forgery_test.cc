#include "service/forgery.h"

#include <cstring>

#include "abi/endpoint.h"
#include "abi/message.h"
#include "gtest/gtest.h"
#include "service/admission.h"

namespace hv::service {
namespace {

constexpr CellWay kWay{HV_ROLE_TIMER, HV_ROLE_IOAPIC};
constexpr uint16_t kEpoch = 1;
constexpr hv_cell kHonest{
    .stamp = 100, .kind = HV_KIND_LINE, .epoch = kEpoch, .tag = 0, .payload = {}};

// Whether a reader of the cell at its place has a reason to refuse it without looking at the
// payload.
bool IsRefusable(const hv_cell& cell) {
  return cell.stamp != kHonest.stamp || cell.epoch != kEpoch ||
         !MayReceive(kWay.from, kWay.to, cell.kind);
}

class HeaderForgeryTest : public testing::TestWithParam<hv_fault_action> {};

TEST_P(HeaderForgeryTest, IsAlwaysToBeTold) {
  for (uint64_t random = 0; random < 10'000; ++random) {
    hv_cell forged;
    ASSERT_TRUE(ForgeCell(GetParam(), kWay, kHonest, random * 0x9e3779b97f4a7c15, forged));
    ASSERT_TRUE(IsRefusable(forged)) << "random " << random;
  }
}

INSTANTIATE_TEST_SUITE_P(Actions, HeaderForgeryTest,
                         testing::Values(HV_FAULT_ACTION_FORGE_STAMP, HV_FAULT_ACTION_FORGE_EPOCH,
                                         HV_FAULT_ACTION_FORGE_KIND, HV_FAULT_ACTION_FORGE_ANSWER,
                                         HV_FAULT_ACTION_FORGE_BIT));

TEST(ForgeryTest, AFlippedBitIsOneBit) {
  for (uint64_t random = 0; random < 32; ++random) {
    hv_cell forged;
    ASSERT_TRUE(ForgeCell(HV_FAULT_ACTION_FORGE_BIT, kWay, kHonest, random, forged));
    const int bits = __builtin_popcount(forged.kind ^ kHonest.kind) +
                     __builtin_popcount(forged.epoch ^ kHonest.epoch);
    EXPECT_EQ(bits, 1);
    EXPECT_EQ(std::memcmp(forged.payload, kHonest.payload, sizeof(forged.payload)), 0);
  }
}

TEST(ForgeryTest, AnAnswerHasATagThatNobodyAskedWith) {
  hv_cell honest = kHonest;
  honest.kind = HV_KIND_READ_DONE;
  honest.tag = 17;
  hv_cell forged;
  ASSERT_TRUE(
      ForgeCell(HV_FAULT_ACTION_FORGE_ANSWER, {HV_ROLE_TIMER, HV_ROLE_KERNEL}, honest, 1, forged));
  EXPECT_NE(forged.tag, honest.tag);
}

TEST(ForgeryTest, WhatHasNoRangeHasNoForgedContent) {
  hv_cell honest = kHonest;
  honest.kind = HV_KIND_READ_DONE;
  hv_cell forged;
  EXPECT_FALSE(ForgeCell(HV_FAULT_ACTION_FORGE_CONTENT, kWay, honest, 1, forged));
  EXPECT_TRUE(ForgeCell(HV_FAULT_ACTION_FORGE_CONTENT, kWay, kHonest, 1, forged));
}

TEST(ForgeryTest, NoOtherFaultIsOne) {
  hv_cell forged;
  EXPECT_FALSE(ForgeCell(HV_FAULT_ACTION_NONE, kWay, kHonest, 1, forged));
  EXPECT_FALSE(ForgeCell(HV_FAULT_ACTION_KILL, kWay, kHonest, 1, forged));
}

}  // namespace
}  // namespace hv::service
