// Maps of guest RAM and the log of written pages, held against every engine that this host can run.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "abi/route_table.h"
#include "hv_kernel/soft/test_machine.h"
#include "integration_tests/engines/engine_contract.h"

namespace hv {
namespace {

using Machine = soft::TestMachine;
using Pages = std::vector<uint64_t>;

constexpr uint64_t kPage = 4096;
constexpr uint64_t kPages = Machine::kRamBytes / kPage;
constexpr uint64_t kDataPage = Machine::kData / kPage;
constexpr uint64_t kTableCount = 3;
constexpr uint64_t kAccessed = 1 << 5;

class MemoryContractTest : public engines::EngineContract {
 protected:
  void SetUp() override {
    EngineContract::SetUp();
    if (machine_ == nullptr) return;  // skipped
    // The upper tables' accessed bits are set, so that walks change nothing there.
    for (uint64_t table : {Machine::kTables, Machine::kTables + kPage}) {
      m().Poke<uint64_t>(table, m().Peek<uint64_t>(table) | kAccessed);
    }
    m().LoadCode({0x48, 0x89, 0x03, 0xf4, 0xeb, 0xfa});  // mov [rbx], rax; hlt; jmp back
    m().gpr(HV_RBX) = Machine::kData;
  }

  absl::Status SetMemory(std::initializer_list<hv_memory_slot> slots) {
    return m().engine().SetMemory({slots.begin(), slots.size()}, m().ram(), log_.data());
  }
  void LogAll() {
    ASSERT_TRUE(SetMemory({{.bytes = Machine::kRamBytes, .flags = HV_MEMORY_LOG_DIRTY}}).ok());
  }
  // Pages marked since the last call.
  Pages TakeDirty() {
    Pages dirty;
    for (uint64_t page = 0; page < kPages; ++page) {
      if ((log_[page / 64] >> (page % 64) & 1) != 0) dirty.push_back(page);
    }
    for (auto& word : log_) word = 0;
    return dirty;
  }
  // Those are marked and no other. On hardware at most others that the guest read, of the RAM that
  // begins at `ram`: an AMD CPU walks page tables as if it wrote them (APM vol. 2, 15.25.5), and
  // KVM may map a page writable, and so mark it, when it is first read.
  void ExpectTaken(const Pages& written, uint64_t ram = 0) {
    Pages dirty = TakeDirty();
    for (const uint64_t page : written) EXPECT_TRUE(std::erase(dirty, page) == 1) << page;
    if (std::string(GetParam()) == "kvm") {
      const uint64_t tables = (ram + Machine::kTables) / kPage,
                     code = (ram + Machine::kCode) / kPage;
      std::erase_if(dirty, [&](uint64_t page) {
        return (page >= tables && page < tables + kTableCount) || page == code;
      });
    }
    EXPECT_EQ(dirty, Pages{});
  }

  std::array<std::atomic<uint64_t>, kPages / 64> log_{};
};

INSTANTIATE_TEST_SUITE_P(Engines, MemoryContractTest, testing::ValuesIn(engines::kEngines),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(MemoryContractTest, WhatIsWrittenIsMarkedWhenTheGuestHasLeft) {
  LogAll();
  m().gpr(HV_RBX) = Machine::kData + kPage - 4;
  EXPECT_EQ(m().Run().reason, ExitReason::kHalt);
  ExpectTaken({kDataPage, kDataPage + 1});
}

TEST_P(MemoryContractTest, WithoutLoggingNothingIsMarked) {
  EXPECT_EQ(m().Run().reason, ExitReason::kHalt);
  EXPECT_EQ(TakeDirty(), Pages{});
}

TEST_P(MemoryContractTest, LoggingThatIsSwitchedOnMarksWhatWasWrittenBefore) {
  EXPECT_EQ(m().Run().reason, ExitReason::kHalt);
  LogAll();
  EXPECT_EQ(m().Continue().reason, ExitReason::kHalt);
  ExpectTaken({kDataPage});
}

TEST_P(MemoryContractTest, TheSameMapGivenAgainBeginsANewRoundOfTheLog) {
  LogAll();
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ((round == 0 ? m().Run() : m().Continue()).reason, ExitReason::kHalt);
    ExpectTaken({kDataPage});
    LogAll();
  }
}

TEST_P(MemoryContractTest, MorePagesThanAnyBufferHoldsAreAllMarked) {
  constexpr uint64_t kFirst = 0x400000;
  LogAll();
  m().LoadCode({0x48, 0x89, 0x03,                          // mov [rbx], rax
                0x48, 0x81, 0xc3, 0x00, 0x10, 0x00, 0x00,  // add rbx, 4096
                0xff, 0xc9,                                // dec ecx
                0x75, 0xf2,                                // jnz to the first
                0xf4});
  m().gpr(HV_RBX) = kFirst;
  m().gpr(HV_RCX) = kPages - kFirst / kPage;
  EXPECT_EQ(m().Run().reason, ExitReason::kHalt);
  // Others may be marked too, where a buffer overflowed.
  Pages dirty = TakeDirty();
  std::erase_if(dirty, [](uint64_t page) { return page < kFirst / kPage; });
  EXPECT_EQ(dirty.size(), kPages - kFirst / kPage);
  // So it is in the next round.
  LogAll();
  m().state().rip = Machine::kCode;
  m().gpr(HV_RBX) = kFirst;
  m().gpr(HV_RCX) = kPages - kFirst / kPage;
  EXPECT_EQ(m().Run().reason, ExitReason::kHalt);
  dirty = TakeDirty();
  std::erase_if(dirty, [](uint64_t page) { return page < kFirst / kPage; });
  EXPECT_EQ(dirty.size(), kPages - kFirst / kPage);
}

TEST_P(MemoryContractTest, ReadOnlyMemoryIsReadAndItsWritesLeave) {
  m().gpr(HV_RAX) = 1;
  ASSERT_TRUE(SetMemory({{.bytes = Machine::kData},
                         {.address = Machine::kData,
                          .bytes = kPage,
                          .offset = Machine::kData,
                          .flags = HV_MEMORY_READ_ONLY},
                         {.address = Machine::kData + kPage,
                          .bytes = Machine::kRamBytes - Machine::kData - kPage,
                          .offset = Machine::kData + kPage}})
                  .ok());
  m().Poke<uint64_t>(Machine::kData, 7);
  m().LoadCode({0x48, 0x8b, 0x13, 0x48, 0x89, 0x03, 0xf4, 0xeb, 0xfa});  // mov rdx, [rbx]; ...
  const Exit exit = m().Run();
  EXPECT_EQ(exit.reason, ExitReason::kMmioWrite);
  EXPECT_EQ(exit.address, Machine::kData);
  EXPECT_EQ(exit.data, 1u);
  EXPECT_EQ(m().gpr(HV_RDX), 7u);
  EXPECT_EQ(m().Peek<uint64_t>(Machine::kData), 7u);
  // Written after all, once it may be.
  ASSERT_TRUE(SetMemory({{.bytes = Machine::kRamBytes}}).ok());
  EXPECT_EQ(m().Continue().reason, ExitReason::kHalt);
  EXPECT_EQ(m().Continue().reason, ExitReason::kHalt);
  EXPECT_EQ(m().Peek<uint64_t>(Machine::kData), 1u);
}

TEST_P(MemoryContractTest, ASlotOutsideTheSegmentIsRefusedAndTheOldMapStays) {
  EXPECT_EQ(SetMemory({{.address = 0, .bytes = Machine::kRamBytes + kPage}}).code(),
            absl::StatusCode::kInvalidArgument);
  m().gpr(HV_RAX) = 9;
  EXPECT_EQ(m().Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m().Peek<uint64_t>(Machine::kData), 9u);
}

TEST_P(MemoryContractTest, ASlotLiesWhereItsOffsetSays) {
  // The second half of the segment at the addresses of the first.
  constexpr uint64_t kHalf = Machine::kRamBytes / 2;
  std::memcpy(m().ram().data() + kHalf, m().ram().data(), kHalf);
  ASSERT_TRUE(SetMemory({{.bytes = kHalf, .offset = kHalf, .flags = HV_MEMORY_LOG_DIRTY}}).ok());
  m().gpr(HV_RAX) = 3;
  EXPECT_EQ(m().Run().reason, ExitReason::kHalt);
  EXPECT_EQ(m().Peek<uint64_t>(Machine::kData), 0u);
  EXPECT_EQ(m().Peek<uint64_t>(kHalf + Machine::kData), 3u);
  ExpectTaken({(kHalf + Machine::kData) / kPage}, kHalf);
}

}  // namespace
}  // namespace hv
