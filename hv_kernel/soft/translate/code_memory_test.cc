#include "hv_kernel/soft/translate/code_memory.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace hv::soft {
namespace {

constexpr size_t kBytes = 64 << 10;
constexpr size_t kRoom = 4 << 10;

struct Piece {
  uint64_t at;
  size_t bytes;
};

TEST(CodeMemoryTest, PiecesInUseNeverOverlap) {
  CodeMemory memory = CodeMemory::Create(kBytes).value();
  constexpr size_t kKept = 100;
  memory.Append(kKept);
  memory.Keep();
  std::deque<Piece> live;
  std::mt19937_64 random(1);
  int wraps = 0;
  for (int i = 0; i < 100'000; ++i) {
    while (!memory.Reserve(kRoom)) {
      ASSERT_FALSE(live.empty()) << "no room in empty memory";
      live.pop_front();
      live.empty() ? memory.DropAll() : memory.DropBefore(live.front().at);
    }
    const Piece piece{memory.next(), 1 + random() % kRoom};
    ASSERT_GE(piece.at, memory.begin() + kKept);
    ASSERT_LE(piece.at + piece.bytes, memory.end());
    for (const Piece& other : live) {
      ASSERT_TRUE(piece.at + piece.bytes <= other.at || other.at + other.bytes <= piece.at);
    }
    if (!live.empty() && piece.at < live.back().at) ++wraps;
    memory.Append(piece.bytes);
    live.push_back(piece);
    ASSERT_LE(memory.used(), kBytes);
    if (random() % 1000 == 0) {
      live.clear();
      memory.DropAll();
    }
  }
  EXPECT_GT(wraps, 1000);
}

TEST(CodeMemoryTest, NoMoreIsDroppedThanNeeded) {
  CodeMemory memory = CodeMemory::Create(kBytes).value();
  constexpr size_t kPiece = 1024;
  std::deque<uint64_t> live;
  for (int i = 0; i < 1000; ++i) {
    while (!memory.Reserve(kPiece)) {
      live.pop_front();
      memory.DropBefore(live.front());
    }
    live.push_back(memory.next());
    memory.Append(kPiece);
    if (i >= 100) {
      EXPECT_GE(live.size(), kBytes / kPiece - 2);
    }
  }
}

TEST(CodeMemoryTest, WhatIsWrittenInOnePlaceExecutesInTheOther) {
  CodeMemory memory = CodeMemory::Create(kBytes).value();
  ASSERT_TRUE(memory.Reserve(kRoom));
  const uint8_t code[] = {0xb8, 42, 0, 0, 0, 0xc3};  // mov eax, 42; ret
  std::copy(std::begin(code), std::end(code), memory.Writable(memory.next()));
  EXPECT_EQ(reinterpret_cast<int (*)()>(memory.next())(), 42);
}

}  // namespace
}  // namespace hv::soft
