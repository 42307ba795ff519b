#include "cli/input_queue.h"

#include <gtest/gtest.h>

#include <thread>

namespace hv::cli {
namespace {

TEST(InputQueueTest, EverythingComesOutInOrder) {
  InputQueue queue(4);
  std::string got;
  std::thread taker([&] {
    for (std::string text = queue.Take(); !text.empty(); text = queue.Take()) {
      got += text;
      if (got.size() == 26 * 100) return;
    }
  });
  std::string put;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(queue.Put("abcdefghijklmnopqrstuvwxyz", true));
    put += "abcdefghijklmnopqrstuvwxyz";
  }
  taker.join();
  EXPECT_EQ(got, put);
}

TEST(InputQueueTest, WhoDoesNotWaitIsTakenBeyondTheCapacity) {
  InputQueue queue(1);
  EXPECT_TRUE(queue.Put("aa", false));
  EXPECT_TRUE(queue.Put("bb", false));
  EXPECT_EQ(queue.Take(), "aabb");
}

TEST(InputQueueTest, ClosingEndsTheWaitingOfBoth) {
  InputQueue queue(1);
  std::thread taker([&] { EXPECT_EQ(queue.Take(), ""); });
  queue.Close();
  taker.join();
  EXPECT_FALSE(queue.Put("a", true));
}

}  // namespace
}  // namespace hv::cli
