#include "mmu_svc/mmu_control.h"

#include <cstring>

#include "mmu_svc/mmu_control_fixture.h"

namespace hv::mmu {
namespace {

using MmuControlTest = MmuControlFixture;

TEST_F(MmuControlTest, TheMapIsShownWithItsCounters) {
  access_.state.hole_reads = 1;
  access_.state.hole_writes = 2;
  access_.state.rom_writes = 3;
  access_.state.protected_writes = 4;
  access_.state.map.slots[1].flags = HV_MEMORY_READ_ONLY | HV_MEMORY_LOG_DIRTY;
  ASSERT_TRUE(control_.GetMap(nullptr, nullptr, &shown_).ok());
  ASSERT_EQ(shown_.regions_size(), 2);
  EXPECT_EQ(shown_.regions(0).kind(), hv::v1::MEMORY_KIND_RAM);
  EXPECT_EQ(shown_.regions(1).kind(), hv::v1::MEMORY_KIND_ROM);
  EXPECT_TRUE(shown_.regions(1).dirty_logging());
  EXPECT_EQ(shown_.regions(1).offset(), 32 * kPageBytes);
  ASSERT_EQ(shown_.routes_size(), 1);
  EXPECT_EQ(shown_.routes(0).service(), "timer_svc");
  EXPECT_EQ(shown_.routes(0).space(), hv::v1::ROUTE_SPACE_MMIO);
  EXPECT_TRUE(shown_.routes(0).posted_writes());
  EXPECT_TRUE(shown_.routes(0).late_writes());
  EXPECT_FALSE(shown_.routes(0).counted_writes());
  EXPECT_EQ(shown_.hole_reads(), 1u);
  EXPECT_EQ(shown_.hole_writes(), 2u);
  EXPECT_EQ(shown_.rom_writes(), 3u);
  EXPECT_EQ(shown_.protected_writes(), 4u);
  EXPECT_EQ(shown_.generation(), 2u);
}

TEST_F(MmuControlTest, AChangeIsANewGenerationAndItsRepetitionIsNot) {
  ASSERT_TRUE(Protect(true, 0x4000, 0x1000).ok());
  EXPECT_EQ(shown_.generation(), 4u);
  EXPECT_EQ(shown_.regions_size(), 4);
  EXPECT_TRUE(shown_.regions(1).write_protected());
  EXPECT_EQ(shown_.regions(1).kind(), hv::v1::MEMORY_KIND_RAM);
  ASSERT_TRUE(Protect(true, 0x4000, 0x1000).ok());
  EXPECT_EQ(shown_.generation(), 4u);
  ASSERT_TRUE(Protect(false, 0x4000, 0x1000).ok());
  EXPECT_EQ(shown_.generation(), 6u);
  EXPECT_EQ(shown_.regions_size(), 2);
}

TEST_F(MmuControlTest, ARefusedChangeSaysWhyAndChangesNothing) {
  const State before = access_.state;
  const grpc::Status status = Protect(true, 31 * kPageBytes, 2 * kPageBytes);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "range: no memory at 0x20000");
  EXPECT_EQ(std::memcmp(&access_.state, &before, sizeof(State)), 0);
}

TEST_F(MmuControlTest, ALogBeginsEmptyAndIsKeptWhenItIsOnAlready) {
  log() = 0xf0;
  ASSERT_TRUE(LogDirty(true).ok());
  EXPECT_EQ(log(), 0u);
  log() = 0xf;
  ASSERT_TRUE(LogDirty(true).ok());
  EXPECT_EQ(log(), 0xfu);
}

TEST_F(MmuControlTest, ALogIsEmptyBeforeItsSwitchIsCommitted) {
  log() = 0xf0;
  access_.before_commit = [&] { EXPECT_EQ(log(), 0u); };
  access_.dies_before_commit = true;
  ASSERT_TRUE(LogDirty(true).ok());
  access_.dies_before_commit = false;
  access_.before_commit = nullptr;
  // The successor is asked again.
  ASSERT_TRUE(LogDirty(true).ok());
  EXPECT_TRUE(shown_.regions(0).dirty_logging());
}

TEST_F(MmuControlTest, LogOfOneRangeLeavesTheOtherPagesAlone) {
  log() = UINT64_MAX;
  ASSERT_TRUE(LogDirty(true, kHigh, 2 * kPageBytes).ok());
  EXPECT_EQ(log(), UINT64_MAX & ~(3ull << 32));
}

TEST_F(MmuControlTest, ReadingGoesFromRangeToRangeAndSkipsWhatIsNotLogged) {
  EXPECT_EQ(Read(0).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  ASSERT_TRUE(LogDirty(true, 0x4000, 0x2000).ok());
  ASSERT_TRUE(LogDirty(true, kHigh, 0).ok());
  log() = 1ull << 5 | 1ull << 63 | 1ull << 9;
  ASSERT_TRUE(Read(0).ok());
  EXPECT_EQ(dirty_.address(), 0x4000u);
  EXPECT_EQ(dirty_.bitmap(), std::string("\x02", 1));
  EXPECT_EQ(dirty_.next_address(), kHigh);
  ASSERT_TRUE(Read(dirty_.next_address()).ok());
  EXPECT_EQ(dirty_.address(), kHigh);
  EXPECT_EQ(dirty_.bitmap(), std::string("\0\0\0\x80", 4));
  EXPECT_EQ(dirty_.next_address(), 0u);
  ASSERT_TRUE(Read(0x5000).ok());
  EXPECT_EQ(dirty_.address(), 0x5000u);
  EXPECT_EQ(dirty_.bitmap(), std::string("\x01", 1));
  ASSERT_TRUE(Read(kHigh + 32 * kPageBytes).ok());
  EXPECT_TRUE(dirty_.bitmap().empty());
  EXPECT_EQ(Read(1).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(MmuControlTest, AnAnswerCoversAtMostTwoGibibytes) {
  access_.state.map.slots[1].bytes = uint64_t{5} << 30;
  ASSERT_TRUE(LogDirty(true).ok());
  ASSERT_TRUE(Read(kHigh).ok());
  EXPECT_EQ(dirty_.bitmap().size(), 65536u);
  EXPECT_EQ(dirty_.next_address(), kHigh + (uint64_t{2} << 30));
  ASSERT_TRUE(Read(kHigh + (uint64_t{4} << 30)).ok());
  EXPECT_EQ(dirty_.bitmap().size(), 32768u);
  EXPECT_EQ(dirty_.next_address(), 0u);
}

TEST_F(MmuControlTest, WhatWasReadIsClearedAndMarksMadeMeanwhileStay) {
  ASSERT_TRUE(LogDirty(true).ok());
  log() = 0xff00000000;
  ASSERT_TRUE(Read(kHigh).ok());
  log() |= 1ull << 48;
  ASSERT_TRUE(Clear(dirty_).ok());
  EXPECT_EQ(log(), 1ull << 48);
}

TEST_F(MmuControlTest, ClearingOutsideOfTheRangeIsRefused) {
  log() = UINT64_MAX;
  hv::v1::DirtyPages pages;
  pages.set_address(30 * kPageBytes);
  pages.set_bitmap("\xff");
  ASSERT_TRUE(Clear(pages).ok());  // six bits lie past the range
  EXPECT_EQ(log(), UINT64_MAX & ~(3ull << 30));
  pages.set_bitmap(std::string(2, '\xff'));
  EXPECT_EQ(Clear(pages).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  pages.set_address(0x7000000);
  EXPECT_EQ(Clear(pages).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  pages.set_address(1);
  EXPECT_EQ(Clear(pages).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(MmuControlTest, ATranslationSaysWhatLiesThere) {
  const auto entry = [this](uint64_t physical) -> uint64_t& { return ram_[physical / 8]; };
  entry(0x1000) = 0x2007;
  entry(0x2000) = 0x3007;
  entry(0x3000) = 0xfee00000 | 0x83;  // 2 MiB, no memory there
  entry(0x3008) = 0x87;               // 2 MiB at 0
  hv::v1::MmuTranslateRequest request;
  request.set_linear(0x201234);
  request.set_cr0(0x80000001);
  request.set_cr3(0x1000);
  request.set_cr4(0x20);
  request.set_efer(0x500);
  hv::v1::Translation found;
  ASSERT_TRUE(control_.Translate(nullptr, &request, &found).ok());
  EXPECT_EQ(found.outcome(), hv::v1::TRANSLATION_OUTCOME_MAPPED);
  EXPECT_EQ(found.mode(), hv::v1::PAGING_MODE_4_LEVEL);
  EXPECT_EQ(found.physical(), 0x1234u);
  EXPECT_EQ(found.page_bytes(), 2u << 20);
  EXPECT_EQ(found.kind(), hv::v1::MEMORY_KIND_RAM);
  EXPECT_EQ(found.walk_size(), 3);
  EXPECT_EQ(found.walk(2).value(), 0x87u);
  request.set_linear(0x1234);
  found.Clear();
  ASSERT_TRUE(control_.Translate(nullptr, &request, &found).ok());
  EXPECT_EQ(found.physical(), 0xfee01234u);
  EXPECT_EQ(found.kind(), hv::v1::MEMORY_KIND_UNSPECIFIED);
  request.set_linear(0x400000);
  found.Clear();
  ASSERT_TRUE(control_.Translate(nullptr, &request, &found).ok());
  EXPECT_EQ(found.outcome(), hv::v1::TRANSLATION_OUTCOME_NOT_PRESENT);
  EXPECT_EQ(found.failed_level(), 2u);
  EXPECT_EQ(found.physical(), 0u);
}

}  // namespace
}  // namespace hv::mmu
