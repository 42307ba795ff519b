#include "vcpu_svc/vcpu_pages.h"

#include "gtest/gtest.h"
#include "vcpu_svc/event_word.h"

namespace hv::vcpu {
namespace {

class VcpuPagesTest : public testing::Test {
 protected:
  void Show() { pages_.Show(0, state_); }
  void Publish(uint32_t generation, uint64_t events) {
    state_.published = EventWord::Make(generation, events);
  }
  // An offer is shown, and the vCPU has looked.
  void Offer(uint32_t generation) {
    Publish(generation, HV_PENDING_NMI);
    Show();
    page_.attention = 0;
  }

  hv_vcpu_page page_{};
  int wakes_ = 0;
  VcpuPages pages_{{&page_}, [this](uint32_t) { ++wakes_; }};
  VcpuState state_{};
};

TEST_F(VcpuPagesTest, AnOfferIsShownAndTheVcpuMadeToLook) {
  Publish(1, HV_PENDING_NMI);
  Show();
  EXPECT_EQ(page_.pending, state_.published);
  EXPECT_EQ(page_.attention, 1u);
  EXPECT_EQ(wakes_, 1);
}

TEST_F(VcpuPagesTest, ShowingTheSameAgainChangesNothing) {
  Offer(1);
  Show();
  EXPECT_EQ(page_.attention, 0u);
  EXPECT_EQ(wakes_, 1);
}

TEST_F(VcpuPagesTest, AnAcknowledgementAloneDisturbsNobody) {
  Offer(1);
  state_.taken_generation = 1;
  Show();
  EXPECT_EQ(page_.acknowledged, 1u);
  EXPECT_EQ(page_.attention, 0u);
  EXPECT_EQ(wakes_, 1);
}

TEST_F(VcpuPagesTest, AnAcknowledgementThatFreesAnOfferMakesTheVcpuLook) {
  Offer(2);
  state_.taken_generation = 1;
  Show();
  EXPECT_EQ(page_.attention, 1u);
  EXPECT_EQ(wakes_, 2);
}

TEST_F(VcpuPagesTest, ASuccessorMakesTheVcpuLookAgain) {
  Offer(1);
  VcpuPages successor({&page_}, [this](uint32_t) { ++wakes_; });
  successor.Show(0, state_);
  EXPECT_EQ(page_.attention, 1u);
  EXPECT_EQ(wakes_, 2);
}

TEST_F(VcpuPagesTest, AnOfferWithdrawnDisturbsNobody) {
  Offer(1);
  Publish(2, 0);
  Show();
  EXPECT_EQ(page_.pending, state_.published);
  EXPECT_EQ(page_.attention, 0u);
}

TEST_F(VcpuPagesTest, WhatWasTakenIsReadWhereThereIsAPage) {
  page_.taken = 0x1'0000'2000;
  EXPECT_EQ(pages_.Taken(0), 0x1'0000'2000u);
  EXPECT_EQ(pages_.Taken(1), std::nullopt);
  EXPECT_EQ(VcpuPages().Taken(0), std::nullopt);
}

}  // namespace
}  // namespace hv::vcpu
