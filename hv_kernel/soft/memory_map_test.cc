// Maps that change while a guest runs: dirty logging, write protection, and what stays valid.
#include <array>

#include "abi/route_table.h"
#include "gtest/gtest.h"
#include "hv_kernel/soft/test_machine.h"

namespace hv::soft {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kAccessed = 1 << 5;
constexpr uint64_t kPages = TestMachine::kRamBytes / kPage;

class MemoryMapTest : public testing::Test {
 protected:
  // The upper tables' accessed bits are set, so that walks change nothing there.
  MemoryMapTest() {
    for (uint64_t table : {TestMachine::kTables, TestMachine::kTables + kPage}) {
      m_.Poke<uint64_t>(table, m_.Peek<uint64_t>(table) | kAccessed);
    }
  }

  absl::Status SetMemory(std::initializer_list<hv_memory_slot> slots) {
    return m_.engine().SetMemory({slots.begin(), slots.size()}, m_.ram(), log_.data());
  }
  void LogAll() {
    ASSERT_TRUE(SetMemory({{.bytes = TestMachine::kRamBytes, .flags = HV_MEMORY_LOG_DIRTY}}).ok());
  }
  // Pages marked since the last call.
  std::vector<uint64_t> TakeDirty() {
    std::vector<uint64_t> dirty;
    for (uint64_t page = 0; page < kPages; ++page) {
      if ((log_[page / 64] >> (page % 64) & 1) != 0) dirty.push_back(page);
    }
    for (auto& word : log_) word = 0;
    return dirty;
  }

  // Stores between HLTs: mov [rbx], rax; hlt; jmp back.
  void LoadStoreLoop() { m_.LoadCode({0x48, 0x89, 0x03, 0xf4, 0xeb, 0xfa}); }

  using Pages = std::vector<uint64_t>;
  static constexpr uint64_t kDataPage = TestMachine::kData / kPage;
  std::array<std::atomic<uint64_t>, kPages / 64> log_{};
  TestMachine m_;
};

TEST_F(MemoryMapTest, AWriteMarksItsPageAndAReadMarksNone) {
  LogAll();
  m_.LoadCode({0x48, 0x8b, 0x01,  // mov rax, [rcx]
               0x48, 0x89, 0x03,  // mov [rbx], rax
               0xf4});
  m_.gpr(HV_RCX) = TestMachine::kData + 8 * kPage;
  m_.gpr(HV_RBX) = TestMachine::kData + 0x10;
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(TakeDirty(), Pages{kDataPage});
}

TEST_F(MemoryMapTest, AWriteAcrossTwoPagesMarksBoth) {
  LogAll();
  LoadStoreLoop();
  m_.gpr(HV_RBX) = TestMachine::kData + kPage - 4;
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(TakeDirty(), (Pages{kDataPage, kDataPage + 1}));
}

TEST_F(MemoryMapTest, TheSameMapGivenAgainBeginsANewRoundOfTheLog) {
  LogAll();
  LoadStoreLoop();
  m_.gpr(HV_RBX) = TestMachine::kData;
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(TakeDirty(), Pages{kDataPage});
  LogAll();
  EXPECT_EQ(m_.Continue().reason, ExitReason::kHalt);
  EXPECT_EQ(TakeDirty(), Pages{kDataPage});
}

TEST_F(MemoryMapTest, WritesToAPageWithCodeAreMarked) {
  LogAll();
  LoadStoreLoop();
  m_.gpr(HV_RBX) = TestMachine::kCode + 0x800;
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(TakeDirty(), Pages{TestMachine::kCode / kPage});
}

TEST_F(MemoryMapTest, DirtyAndAccessedBitsOfPageTablesMarkTheTables) {
  const uint64_t entry = TestMachine::kTables + 0x2000 + (TestMachine::kData >> 21) * 8;
  m_.Poke<uint64_t>(entry, TestMachine::kData | 0x87);  // present, writable, user, large; not dirty
  LogAll();
  LoadStoreLoop();
  m_.gpr(HV_RBX) = TestMachine::kData;
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(TakeDirty(), (Pages{TestMachine::kTables / kPage + 2, kDataPage}));
}

TEST_F(MemoryMapTest, ProtectionTakesEffectOnPagesAlreadyInTheTlb) {
  LoadStoreLoop();
  m_.gpr(HV_RBX) = TestMachine::kData;
  m_.gpr(HV_RAX) = 1;
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  ASSERT_TRUE(SetMemory({{.bytes = TestMachine::kData},
                         {.address = TestMachine::kData,
                          .bytes = kPage,
                          .offset = TestMachine::kData,
                          .flags = HV_MEMORY_READ_ONLY},
                         {.address = TestMachine::kData + kPage,
                          .bytes = TestMachine::kRamBytes - TestMachine::kData - kPage,
                          .offset = TestMachine::kData + kPage}})
                  .ok());
  m_.Poke<uint64_t>(TestMachine::kData, 7);
  const Exit exit = m_.Continue();
  EXPECT_EQ(exit.reason, ExitReason::kMmioWrite);
  EXPECT_EQ(exit.address, TestMachine::kData);
  EXPECT_EQ(exit.data, 1u);
  EXPECT_EQ(m_.Peek<uint64_t>(TestMachine::kData), 7u);
  ASSERT_TRUE(SetMemory({{.bytes = TestMachine::kRamBytes}}).ok());
  EXPECT_EQ(m_.Continue().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.Continue().reason, ExitReason::kHalt);
  EXPECT_EQ(m_.Peek<uint64_t>(TestMachine::kData), 1u);
}

TEST_F(MemoryMapTest, TranslatedCodeSurvivesAChangeOfFlags) {
  LoadStoreLoop();
  m_.gpr(HV_RBX) = TestMachine::kData;
  m_.Run();
  for (int i = 0; i < 3; ++i) m_.Continue();  // every block of the loop
  const uint64_t blocks = m_.Counter("blocks");
  LogAll();
  m_.Continue();
  EXPECT_EQ(m_.Counter("blocks"), blocks);
  EXPECT_EQ(TakeDirty(), Pages{kDataPage});
}

TEST_F(MemoryMapTest, TranslatedCodeGoesWhenItsPageLiesElsewhere) {
  LoadStoreLoop();
  m_.gpr(HV_RBX) = TestMachine::kData;
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  // The second half of the RAM segment, which is zero but for this code, takes the place of the
  // first.
  constexpr uint64_t kHalf = TestMachine::kRamBytes / 2;
  std::memcpy(m_.ram().data() + kHalf, m_.ram().data(), TestMachine::kCode);
  const std::array<uint8_t, 2> port = {0xe6, 0x80};  // out 0x80, al
  m_.Load(kHalf + TestMachine::kCode + 4, port);
  ASSERT_TRUE(SetMemory({{.bytes = kHalf, .offset = kHalf}}).ok());
  EXPECT_EQ(m_.Continue().reason, ExitReason::kPortWrite);
}

TEST_F(MemoryMapTest, ASlotOutsideTheSegmentIsRefusedAndTheOldMapStays) {
  LogAll();
  EXPECT_FALSE(SetMemory({{.bytes = TestMachine::kRamBytes + kPage}}).ok());
  EXPECT_FALSE(SetMemory({{.bytes = kPage, .offset = TestMachine::kRamBytes}}).ok());
  LoadStoreLoop();
  m_.gpr(HV_RBX) = TestMachine::kData;
  EXPECT_EQ(m_.Run().reason, ExitReason::kHalt);
  EXPECT_EQ(TakeDirty(), Pages{kDataPage});
}

}  // namespace
}  // namespace hv::soft
