// A translation cache that is too small for what the guest runs, and one whose code is overwritten
// in bulk.
#include "hv_kernel/soft/translate/translation_cache.h"

#include <gtest/gtest.h>

#include <vector>

#include "hv_kernel/soft/test_machine.h"

namespace hv::soft {
namespace {

class TranslationCacheTest : public testing::Test {
 protected:
  static constexpr uint64_t kPieces = 20'000;  // some 2 MiB of generated code

  void Append(std::initializer_list<uint8_t> bytes) {
    code_.insert(code_.end(), bytes.begin(), bytes.end());
  }
  void Append32(uint32_t value) {
    for (int i = 0; i < 4; ++i) code_.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
  // Pieces that add up 0, 1, 2, ... in RAX, each a block of its own.
  void AppendPieces() {
    for (uint32_t i = 0; i < kPieces; ++i) {
      Append({0x48, 0x05});  // add rax, i
      Append32(i);
      Append({0xeb, 0x00});  // jmp to the next
    }
  }
  Exit RunCode() {
    m_.Load(TestMachine::kCode, code_);
    return m_.Run();
  }

  TestMachine m_;
  std::vector<uint8_t> code_;
};

TEST_F(TranslationCacheTest, WhatDoesNotFitGoesAndComesBack) {
  AppendPieces();
  Append({0x48, 0xff, 0xc9});  // dec rcx
  Append({0x0f, 0x85});        // jnz to the first piece
  Append32(static_cast<uint32_t>(-static_cast<int64_t>(code_.size()) - 4));
  Append({0xf4});
  constexpr uint64_t kRounds = 3;
  m_.gpr(HV_RCX) = kRounds;
  const uint64_t flushes = m_.Counter("flushes");
  EXPECT_EQ(RunCode().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_RAX), kRounds * (kPieces * (kPieces - 1) / 2));
  EXPECT_GE(m_.Counter("evicted"), kPieces);
  EXPECT_EQ(m_.Counter("flushes"), flushes);
  EXPECT_LE(m_.Counter("code_bytes"), TranslationCache::kMinCodeBytes);
  // What is left of the code that was there first in the end, nothing of what went.
  EXPECT_LE(m_.Counter("guest_bytes"), code_.size());
}

TEST_F(TranslationCacheTest, AFaultIsPlacedAlsoBehindTheEndOfCodeMemory) {
  AppendPieces();
  AppendPieces();
  const uint64_t division = TestMachine::kCode + code_.size() + 3;
  Append({0x48, 0x31, 0xc9});  // xor rcx, rcx
  Append({0x48, 0xf7, 0xf1});  // div rcx, for which there is no IDT
  EXPECT_EQ(RunCode().reason, ExitReason::kShutdown);
  EXPECT_GE(m_.Counter("evicted"), kPieces);
  EXPECT_EQ(m_.state().rip, division);
}

TEST_F(TranslationCacheTest, CodeThatIsOverwrittenInBulkIsDroppedWithoutAFlush) {
  constexpr uint64_t kPages = 64, kFirst = TestMachine::kData;
  for (uint64_t i = 0; i < kPages; ++i) {
    const bool last = i + 1 == kPages;
    m_.Load(kFirst + i * kPageBytes, std::vector<uint8_t>{0x48, 0xff, 0xc0});  // inc rax
    const uint32_t distance = kPageBytes - 8;
    std::vector<uint8_t> on{0xe9};  // jmp to the next page
    for (int byte = 0; byte < 4; ++byte) on.push_back(static_cast<uint8_t>(distance >> (8 * byte)));
    m_.Load(kFirst + i * kPageBytes + 3, last ? std::vector<uint8_t>{0xf4} : on);
  }
  m_.state().rip = kFirst;
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_RAX), kPages);

  m_.LoadCode({0xf3, 0xaa, 0xff, 0xe6});  // rep stosb; jmp rsi
  m_.state().rip = TestMachine::kCode;
  m_.gpr(HV_RAX) = 0xf4;
  m_.gpr(HV_RDI) = kFirst;
  m_.gpr(HV_RCX) = kPages * kPageBytes;
  m_.gpr(HV_RSI) = kFirst + 40 * kPageBytes;
  const uint64_t flushes = m_.Counter("flushes");
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.gpr(HV_RAX), 0xf4u) << "the code from before has run";
  EXPECT_EQ(m_.Counter("flushes"), flushes);
  EXPECT_EQ(m_.Counter("invalidated"), kPages);
}

// How many blocks a loop of so many turns takes.
uint64_t BlocksOfLoop(uint8_t cold_turns, uint64_t turns) {
  auto engine =
      CreateSoftEngine({.code_bytes = TranslationCache::kMinCodeBytes, .cold_turns = cold_turns});
  TestMachine m(*std::move(engine), {});
  m.LoadCode({0x48, 0xff, 0xc0,    // inc rax
              0x48, 0xff, 0xc9,    // dec rcx
              0x75, 0xf8, 0xf4});  // jnz to the first; hlt
  m.gpr(HV_RCX) = turns;
  EXPECT_EQ(m.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m.gpr(HV_RAX), turns);
  return m.Counter("blocks");
}

TEST(ColdLoopTest, IsTranslatedAsOneOnlyWhenItHasComeAroundOftenEnough) {
  constexpr uint64_t kPlain = 2;  // its body, what follows it
  EXPECT_EQ(BlocksOfLoop(0, 2), kPlain + 1);
  EXPECT_EQ(BlocksOfLoop(64, 65), kPlain);  // one turn less jumps back
  EXPECT_GT(BlocksOfLoop(64, 66), kPlain);
}

TEST(TranslationCacheSizeTest, TooSmallIsRefused) {
  const auto engine = CreateSoftEngine({.code_bytes = TranslationCache::kMinCodeBytes - 1}).value();
  const std::atomic<uint32_t> attention{0};
  const auto vcpu = engine->CreateVcpu({.attention = &attention, .cpuid = {}});
  EXPECT_EQ(vcpu.status().message(), "translation cache: 1048575 bytes, must be at least 1048576");
}

}  // namespace
}  // namespace hv::soft
