#include "hv_kernel/soft/translate/shared_probes.h"

#include <gtest/gtest.h>

namespace hv::soft {
namespace {

using Part = SharedProbe::Part;

const Mode kRing0(static_cast<uint32_t>(CodeMode::k64) |
                  static_cast<uint32_t>(TlbIndex::kSupervisor) << 2);

class SharedProbesTest : public testing::Test {
 protected:
  std::vector<SharedProbe> Share(const std::vector<uint8_t>& code, Mode mode = kRing0) {
    Block block;
    block.mode = mode;
    EXPECT_EQ(run_.Decode(decoder_, {.first = code, .second = {}}, block), soft::Run::Result::kOk);
    const auto plan = sharing_.Plan(run_.instructions(), mode);
    return {plan.begin(), plan.end()};
  }

  const Decoder decoder_;
  soft::Run run_;
  ProbeSharing sharing_;
};

TEST_F(SharedProbesTest, TheFirstProbesForTheWholeRange) {
  // mov eax, [rbx + 8]; mov ecx, [rbx]; mov [rbx + 16], rdx
  const auto plan = Share({0x8b, 0x43, 8, 0x8b, 0x0b, 0x48, 0x89, 0x53, 16});
  EXPECT_TRUE(plan[0].opens);
  EXPECT_EQ(plan[0].part, Part::kOperand);
  EXPECT_EQ(plan[0].bytes, 24u);
  EXPECT_EQ(plan[0].use, MemoryUse::kReadWrite);
  EXPECT_EQ(plan[0].reach, 8);
  EXPECT_FALSE(plan[1].opens);
  EXPECT_EQ(plan[1].reach, 0);
  EXPECT_EQ(plan[2].reach, 16);
  EXPECT_FALSE(plan[0].miss_ends);
  EXPECT_TRUE(plan[1].miss_ends);
}

TEST_F(SharedProbesTest, OneAccessAloneSharesNothing) {
  EXPECT_EQ(Share({0x8b, 0x03, 0x8b, 0x09})[0].part, Part::kNone);  // [rbx], [rcx]
}

TEST_F(SharedProbesTest, StackAccessesFollowTheStackPointer) {
  // push rbx; sub rsp, 32; mov eax, [rsp + 8]; add rsp, 32; pop rbx; ret
  const auto plan =
      Share({0x53, 0x48, 0x83, 0xec, 32, 0x8b, 0x44, 0x24, 8, 0x48, 0x83, 0xc4, 32, 0x5b, 0xc3});
  EXPECT_EQ(plan[0].part, Part::kStack);
  EXPECT_EQ(plan[0].bytes, 48u - 8);  // from [rsp - 32] to the return address
  EXPECT_EQ(plan[0].reach, 24);
  EXPECT_EQ(plan[2].part, Part::kOperand);
  EXPECT_EQ(plan[2].reach, 0);
  EXPECT_EQ(plan[4].reach, 24);
  EXPECT_EQ(plan[5].reach, 32);
}

TEST_F(SharedProbesTest, AnIndexThatIsMovedMovesByItsScale) {
  // mov [rdi + rax * 4], edx; add rax, 2; mov ecx, [rdi + rax * 4 + 4]; dec rdi;
  // mov cl, [rdi + rax * 4]
  const auto plan = Share({0x89, 0x14, 0x87, 0x48, 0x83, 0xc0, 2, 0x8b, 0x4c, 0x87, 4, 0x48, 0xff,
                           0xcf, 0x8a, 0x0c, 0x87});
  EXPECT_EQ(plan[0].bytes, 16u);
  EXPECT_EQ(plan[0].reach, 0);
  EXPECT_EQ(plan[2].reach, 12);
  EXPECT_EQ(plan[4].reach, 7);
}

TEST_F(SharedProbesTest, AChangedRegisterEndsIt) {
  // mov eax, [rbx]; mov rbx, [rbx + 8]; mov eax, [rbx]: the last one is by another address
  const auto plan = Share({0x8b, 0x03, 0x48, 0x8b, 0x5b, 8, 0x8b, 0x03});
  EXPECT_TRUE(plan[0].opens);
  EXPECT_EQ(plan[1].part, Part::kOperand);
  EXPECT_EQ(plan[2].part, Part::kNone);
}

TEST_F(SharedProbesTest, AChangedIndexEndsIt) {
  // mov eax, [rbx + rcx]; mov rcx, rdx; mov eax, [rbx + rcx]
  const auto plan = Share({0x8b, 0x04, 0x0b, 0x48, 0x89, 0xd1, 0x8b, 0x04, 0x0b});
  EXPECT_EQ(plan[0].part, Part::kNone);
  EXPECT_EQ(plan[2].part, Part::kNone);
}

TEST_F(SharedProbesTest, WhatIsFarApartHasItsOwn) {
  // mov eax, [rbx]; mov eax, [rbx + 0x200]; mov eax, [rbx + 0x208]
  const auto plan = Share({0x8b, 0x03, 0x8b, 0x83, 0, 2, 0, 0, 0x8b, 0x83, 8, 2, 0, 0});
  EXPECT_EQ(plan[0].part, Part::kNone);
  EXPECT_TRUE(plan[1].opens);
  EXPECT_EQ(plan[2].slot, plan[1].slot);
}

TEST_F(SharedProbesTest, SegmentsWithABaseShareNothing) {
  // mov eax, gs:[rbx]; mov ecx, gs:[rbx + 8]
  const auto plan = Share({0x65, 0x8b, 0x03, 0x65, 0x8b, 0x4b, 8});
  EXPECT_EQ(plan[0].part, Part::kNone);
}

TEST_F(SharedProbesTest, NothingEndsABlockBehindSti) {
  // mov [rbx], eax; mov [rbx + 8], eax; sti; mov eax, [rcx]; mov eax, [rcx + 8]
  const auto plan = Share({0x89, 0x03, 0x89, 0x43, 8, 0xfb, 0x8b, 0x01, 0x8b, 0x41, 8});
  EXPECT_TRUE(plan[2].miss_ends);
  EXPECT_FALSE(plan[3].miss_ends);
  EXPECT_EQ(plan[3].part, Part::kNone);
}

TEST_F(SharedProbesTest, WhereItIsNotWantedThereIsNone) {
  const std::vector<uint8_t> code = {0x8b, 0x43, 8, 0x8b, 0x0b};
  EXPECT_EQ(Share(code, kRing0.Unshared())[0].part, Part::kNone);
  EXPECT_EQ(Share(code)[0].part, Part::kOperand);
}

}  // namespace
}  // namespace hv::soft
