#include "mmu_svc/pager/read_ahead.h"

#include <gtest/gtest.h>

#include <random>

namespace hv::mmu {
namespace {

constexpr uint64_t kKiB = 1 << 10, kMiB = 1 << 20;

ReadAhead Of(uint64_t bytes) { return ReadAhead({{0, bytes}}); }

TEST(ReadAheadTest, AFaultIsAnsweredWithTheAlignedChunkItLiesIn) {
  EXPECT_EQ(Of(16 * kMiB).At(5 * kMiB + 0x3000), (Extent{5 * kMiB, 5 * kMiB + 64 * kKiB}));
  EXPECT_EQ(Of(16 * kMiB).At(5 * kMiB + 0xf000), (Extent{5 * kMiB, 5 * kMiB + 64 * kKiB}));
}

TEST(ReadAheadTest, ChunksOfASequenceGrowUpToTheMost) {
  ReadAhead read_ahead = Of(64 * kMiB);
  std::vector<uint64_t> sizes;
  for (uint64_t at = 0; at < 16 * kMiB;) {
    const Extent given = *read_ahead.At(at);
    EXPECT_EQ(given.begin, at) << "nothing twice, no gap";
    sizes.push_back((given.end - given.begin) / kKiB);
    at = given.end;
  }
  EXPECT_EQ(sizes, (std::vector<uint64_t>{64, 64, 128, 256, 512, 1024, 2048, 2048, 2048, 2048, 2048,
                                          2048, 2048}));
}

TEST(ReadAheadTest, ASequenceMayLeaveOutSomePagesOfAChunk) {
  ReadAhead read_ahead = Of(64 * kMiB);
  read_ahead.At(0);
  EXPECT_EQ(read_ahead.At(64 * kKiB + 0x2000), (Extent{64 * kKiB, 128 * kKiB}));
  EXPECT_EQ(read_ahead.At(128 * kKiB + 0x5000), (Extent{128 * kKiB, 256 * kKiB}));
}

TEST(ReadAheadTest, WhoeverJumpsAboutGetsTheLeast) {
  ReadAhead read_ahead = Of(64 * kMiB);
  for (uint64_t at = 60 * kMiB; at > 0; at -= 3 * kMiB) {
    EXPECT_EQ(read_ahead.At(at), (Extent{at, at + 64 * kKiB}));
  }
}

TEST(ReadAheadTest, SequencesThatTakeTurnsGrowAll) {
  ReadAhead read_ahead = Of(64 * kMiB);
  std::array<uint64_t, ReadAhead::kSequences> next;
  for (size_t i = 0; i < next.size(); ++i) next[i] = i * 8 * kMiB;
  for (int round = 0; round < 5; ++round) {
    for (uint64_t& at : next) at = read_ahead.At(at)->end;
  }
  for (size_t i = 0; i < next.size(); ++i) EXPECT_EQ(next[i], i * 8 * kMiB + kMiB);
}

TEST(ReadAheadTest, TheOldestSequenceIsForgotten) {
  ReadAhead read_ahead = Of(64 * kMiB);
  read_ahead.At(0);
  for (uint64_t i = 1; i <= ReadAhead::kSequences; ++i) read_ahead.At(i * 4 * kMiB);
  read_ahead.At(64 * kKiB);
  EXPECT_EQ(read_ahead.At(128 * kKiB), (Extent{128 * kKiB, 256 * kKiB})) << "begun anew at 64 KiB";
}

TEST(ReadAheadTest, NothingIsGivenBeyondThePieceOfMemoryAFaultLiesIn) {
  ReadAhead read_ahead({{0, 3 * kMiB + 0x5000}, {3 * kMiB + 0x5000, 4 * kMiB}});
  EXPECT_EQ(read_ahead.At(3 * kMiB), (Extent{3 * kMiB, 3 * kMiB + 0x5000}));
  EXPECT_EQ(read_ahead.At(3 * kMiB + 0x5000), (Extent{3 * kMiB + 0x5000, 3 * kMiB + 64 * kKiB}));
  EXPECT_EQ(read_ahead.At(4 * kMiB), std::nullopt);
  EXPECT_EQ(read_ahead.At(UINT64_MAX - 4095), std::nullopt);
}

TEST(ReadAheadTest, WhateverComesWhatIsGivenHasThePageAndIsMemory) {
  const std::vector<Extent> memory{{0, 3 * kMiB + 0x1000}, {5 * kMiB, 40 * kMiB + 0x7000}};
  ReadAhead read_ahead(memory);
  std::mt19937_64 random(1);
  uint64_t last_end = 0;
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t at = random() % 3 == 0 ? last_end : random() % (44 * kMiB) / 4096 * 4096;
    const auto given = read_ahead.At(at);
    const auto piece = std::find_if(memory.begin(), memory.end(), [at](const Extent& one) {
      return one.begin <= at && at < one.end;
    });
    ASSERT_EQ(given.has_value(), piece != memory.end()) << at;
    if (!given) continue;
    ASSERT_TRUE(given->begin <= at && at + 4096 <= given->end) << at;
    ASSERT_TRUE(given->begin >= piece->begin && given->end <= piece->end) << at;
    ASSERT_LE(given->end - given->begin, ReadAhead::kMostBytes);
    last_end = given->end;
  }
}

}  // namespace
}  // namespace hv::mmu
