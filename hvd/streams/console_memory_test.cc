#include "hvd/streams/console_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace hv::hvd {
namespace {

constexpr size_t kSmall = 16;

// As the next hvd gets it: over a descriptor alone.
absl::StatusOr<ConsoleMemory> Again(const ConsoleMemory& memory) {
  return ConsoleMemory::Open(UniqueFd(fcntl(memory.fd(), F_DUPFD_CLOEXEC, 0)));
}

std::string All(const ConsoleMemory& memory) { return memory.Read(memory.begin(), 1000); }

TEST(ConsoleMemoryTest, TheOldestBytesMakeRoom) {
  auto memory = ConsoleMemory::Make(kSmall).value();
  memory.Append("0123456789", {});
  memory.Append("abcdefghij", {});
  EXPECT_EQ(memory.end(), 20u);
  EXPECT_EQ(memory.begin(), 4u);
  EXPECT_EQ(All(memory), "456789abcdefghij");
  EXPECT_EQ(memory.Read(18, 1), "i");
}

TEST(ConsoleMemoryTest, TheNextHvdFindsOutputAndPosition) {
  auto memory = ConsoleMemory::Make(kSmall).value();
  memory.Append("gone, gone, ", {.taken = 1});
  memory.Append("and what stays", {.taken = 7, .sent = 3, .ungranted = 9, .input_credit = 2});
  auto next = Again(memory).value();
  EXPECT_EQ(next.capacity(), kSmall);
  EXPECT_EQ(All(next), ", and what stays");
  EXPECT_EQ(next.end(), 26u);
  EXPECT_EQ(next.position().taken, 7u);
  EXPECT_EQ(next.position().sent, 3u);
  EXPECT_EQ(next.position().ungranted, 9u);
  EXPECT_EQ(next.position().input_credit, 2u);
  next.Append("!", next.position());
  EXPECT_EQ(All(next), " and what stays!");
}

TEST(ConsoleMemoryTest, AnAppendThatWasNotCommittedHasOverwrittenNothing) {
  auto memory = ConsoleMemory::Make(kSmall).value();
  memory.Append("0123456789abcdef", {});
  // The bytes that a killed hvd has stored last, behind what is kept.
  const std::string torn(ConsoleMemory::kMostAppended, 'x');
  ASSERT_EQ(pwrite(memory.fd(), torn.data(), torn.size(), 4096 + kSmall),
            static_cast<ssize_t>(torn.size()));
  EXPECT_EQ(All(Again(memory).value()), "0123456789abcdef");
}

TEST(ConsoleMemoryTest, WhatIsNoConsoleIsRefused) {
  const auto refusal = [](UniqueFd fd) { return ConsoleMemory::Open(std::move(fd)).status(); };
  EXPECT_EQ(refusal(UniqueFd(memfd_create("empty", MFD_CLOEXEC))).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refusal(ring::CreateSegment("zeroes", 1 << 16).value()).code(),
            absl::StatusCode::kInvalidArgument);
  const auto memory = ConsoleMemory::Make(kSmall).value();
  const uint64_t other = 2;
  ASSERT_EQ(pwrite(memory.fd(), &other, sizeof(other), 8), 8);  // the version
  EXPECT_EQ(Again(memory).status().code(), absl::StatusCode::kFailedPrecondition);
  const auto larger = ConsoleMemory::Make(kSmall).value();
  const uint64_t capacity = kSmall + 1;
  ASSERT_EQ(pwrite(larger.fd(), &capacity, sizeof(capacity), 16), 8);
  EXPECT_EQ(Again(larger).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace hv::hvd
