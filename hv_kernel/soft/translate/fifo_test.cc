#include "hv_kernel/soft/translate/fifo.h"

#include <gtest/gtest.h>

#include <vector>

namespace hv::soft {
namespace {

TEST(FifoTest, ElementsStayWhereTheyAreUntilTheyAreDropped) {
  Fifo<uint64_t> fifo;
  std::vector<uint64_t*> places;
  constexpr uint64_t kCount = 200'000;
  uint64_t dropped = 0;
  for (uint64_t i = 0; i < kCount; ++i) {
    places.push_back(&fifo.Add(i));
    if (i % 3 == 2) {
      fifo.DropFirst(2);
      dropped += 2;
    }
    ASSERT_EQ(fifo.begin(), dropped);
    ASSERT_EQ(fifo.end(), i + 1);
    ASSERT_EQ(fifo.front(), dropped);
  }
  for (uint64_t i = dropped; i < kCount; ++i) {
    EXPECT_EQ(&fifo[i], places[i]);
    EXPECT_EQ(fifo[i], i);
  }
}

TEST(FifoTest, NumbersGoOnAfterAllIsDropped) {
  Fifo<uint32_t> fifo;
  for (uint32_t i = 0; i < 200'000; ++i) fifo.Add(i);
  fifo.Clear();
  EXPECT_TRUE(fifo.empty());
  EXPECT_EQ(fifo.begin(), 200'000u);
  EXPECT_EQ(fifo.Add(7), 7u);
  EXPECT_EQ(fifo[200'000], 7u);
}

TEST(FifoTest, TheNewestMayBeTakenBack) {
  Fifo<uint32_t> fifo;
  fifo.Add(1);
  fifo.Add(2);
  fifo.DropLast();
  EXPECT_EQ(fifo.size(), 1u);
  fifo.Add(3);
  EXPECT_EQ(fifo[1], 3u);
}

}  // namespace
}  // namespace hv::soft
