#include "mmu_svc/mmu_core.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "abi/endpoint.h"
#include "abi/message.h"
#include "gtest/gtest.h"
#include "proto/hv/v1/mmu_state.pb.h"

namespace hv::mmu {
namespace {

using service::Actions;
using service::Message;
using service::Outgoing;

constexpr uint32_t kVcpu = HV_ENDPOINT(HV_ROLE_KERNEL, 3);
constexpr uint64_t kRom = 0xf0000;
constexpr uint64_t kProtectedRam = 0x8000;
constexpr uint64_t kHole = 0xd0000000;

GuestMap TestMap() {
  GuestMap map{};
  map.route_count = 1;
  map.routes[0] = {0x70, 0x71, HV_ENDPOINT(HV_ROLE_TIMER, 0), HV_SPACE_PORT, 0, 0};
  map.slot_count = 3;
  map.slots[0] = {.address = 0, .bytes = kProtectedRam, .offset = 0};
  map.slots[1] = {.address = kProtectedRam,
                  .bytes = 0x1000,
                  .offset = kProtectedRam,
                  .flags = HV_MEMORY_READ_ONLY | HV_MEMORY_PROTECTED};
  map.slots[2] = {
      .address = kRom, .bytes = 0x10000, .offset = 0x10000, .flags = HV_MEMORY_READ_ONLY};
  return map;
}

class MmuCoreTest : public testing::Test {
 protected:
  MmuCoreTest() : table_(std::make_unique<hv_route_table>()) {
    Actions actions;
    core_.Reset(&state_, 0, actions);
  }

  static Message Access(uint16_t kind, uint8_t space, uint64_t address) {
    return Message::Of(kVcpu, kind, 77,
                       hv_access{.address = address, .data = 0x55, .width = 4, .space = space});
  }
  // What the core sends for a message it takes.
  std::vector<Outgoing> Handle(const Message& message) {
    Actions actions;
    EXPECT_TRUE(core_.Handle(&state_, message, 0, actions));
    return {actions.messages().begin(), actions.messages().end()};
  }

  std::unique_ptr<hv_route_table> table_;
  MmuCore typed_{{.map = TestMap(), .table = table_.get()}};
  service::Core& core_ = typed_;
  State state_{};
};

TEST_F(MmuCoreTest, ReadsOfHolesAreAnsweredWithAllOnesAndCounted) {
  for (const uint8_t space : {HV_SPACE_PORT, HV_SPACE_MMIO}) {
    const auto sent = Handle(Access(HV_KIND_READ, space, kHole));
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].to, kVcpu);
    EXPECT_EQ(sent[0].kind, HV_KIND_READ_DONE);
    EXPECT_EQ(sent[0].tag, 77u);
    EXPECT_EQ(sent[0].As<hv_access_done>().data, UINT64_MAX);
  }
  EXPECT_EQ(state_.hole_reads, 2u);
}

TEST_F(MmuCoreTest, WritesToHolesAreAnsweredIgnoredAndCounted) {
  const auto sent = Handle(Access(HV_KIND_WRITE, HV_SPACE_MMIO, kHole));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].kind, HV_KIND_WRITE_DONE);
  EXPECT_EQ(state_.hole_writes, 1u);
}

TEST_F(MmuCoreTest, PostedWritesAreCountedAndNotAnswered) {
  EXPECT_TRUE(Handle(Access(HV_KIND_WRITE_POSTED, HV_SPACE_MMIO, kHole)).empty());
  EXPECT_EQ(state_.hole_writes, 1u);
}

TEST_F(MmuCoreTest, WritesAreCountedByWhatTheyMeet) {
  Handle(Access(HV_KIND_WRITE, HV_SPACE_MMIO, kRom));
  Handle(Access(HV_KIND_WRITE, HV_SPACE_MMIO, kRom + 0xffff));
  Handle(Access(HV_KIND_WRITE, HV_SPACE_MMIO, kRom + 0x10000));
  Handle(Access(HV_KIND_WRITE, HV_SPACE_MMIO, kProtectedRam));
  Handle(Access(HV_KIND_WRITE, HV_SPACE_PORT, kProtectedRam));
  EXPECT_EQ(state_.rom_writes, 2u);
  EXPECT_EQ(state_.protected_writes, 1u);
  EXPECT_EQ(state_.hole_writes, 2u);
}

TEST_F(MmuCoreTest, AWriteMadeBeforeProtectionEndedCountsAsOneToProtectedRam) {
  Handle(Access(HV_KIND_WRITE, HV_SPACE_MMIO, 0));
  EXPECT_EQ(state_.protected_writes, 1u);
}

TEST_F(MmuCoreTest, OtherMessagesAreRefused) {
  Actions actions;
  EXPECT_FALSE(core_.Handle(&state_, Access(HV_KIND_READ_DONE, HV_SPACE_MMIO, 0), 0, actions));
  EXPECT_TRUE(actions.messages().empty());
}

TEST_F(MmuCoreTest, ProjectPublishesTheMapOnce) {
  core_.Project(&state_);
  EXPECT_EQ(table_->generation, 2u);
  EXPECT_EQ(table_->slot_count, 3u);
  EXPECT_EQ(table_->slots[2].address, kRom);
  table_->slot_count = 99;
  core_.Project(&state_);
  EXPECT_EQ(table_->slot_count, 99u) << "published again without need";
}

TEST_F(MmuCoreTest, GenerationsAreEvenAndNeverZero) {
  EXPECT_EQ(NextGeneration(0), 2u);
  EXPECT_EQ(NextGeneration(3), 4u);
  EXPECT_EQ(NextGeneration(0xfffffffe), 2u);
}

TEST_F(MmuCoreTest, StateSurvivesExportAndImport) {
  Handle(Access(HV_KIND_READ, HV_SPACE_PORT, 1));
  for (int i = 0; i < 2; ++i) Handle(Access(HV_KIND_WRITE, HV_SPACE_PORT, 1));
  for (int i = 0; i < 3; ++i) Handle(Access(HV_KIND_WRITE, HV_SPACE_MMIO, kRom));
  for (int i = 0; i < 4; ++i) Handle(Access(HV_KIND_WRITE, HV_SPACE_MMIO, kProtectedRam));
  const auto exported = core_.Export(&state_);
  ASSERT_TRUE(exported.ok());
  State restored{};
  ASSERT_TRUE(core_.Import(&restored, *exported).ok());
  EXPECT_EQ(std::memcmp(&restored, &state_, sizeof(State)), 0);
}

TEST_F(MmuCoreTest, AnImportedMapIsPublishedWhateverItsGenerationWas) {
  const auto exported = core_.Export(&state_);  // of generation 2
  state_.map.slot_count = 1;
  state_.generation = 4;
  core_.Project(&state_);
  ASSERT_EQ(table_->slot_count, 1u);
  ASSERT_TRUE(core_.Import(&state_, *exported).ok());
  core_.Project(&state_);
  EXPECT_EQ(table_->slot_count, 3u);
}

TEST_F(MmuCoreTest, AStateOfVersionOneHasNoProtectedWrites) {
  hv::v1::MmuServiceState old;
  old.set_rom_writes(5);
  ASSERT_TRUE(core_.Import(&state_, old.SerializeAsString()).ok());
  EXPECT_EQ(state_.rom_writes, 5u);
  EXPECT_EQ(state_.protected_writes, 0u);
}

TEST_F(MmuCoreTest, BadStatesAreRefusedAndLeaveTheOldOne) {
  hv::v1::MmuServiceState many;
  for (uint32_t i = 0; i <= HV_MAX_ROUTES; ++i) many.add_routes()->set_first(i);
  hv::v1::MmuServiceState space;
  space.add_routes()->set_space(0x10001);  // 1 when cut to 16 bits
  hv::v1::MmuServiceState flags;
  flags.add_routes()->set_flags(0x10000);
  hv::v1::MmuServiceState late;
  late.add_routes()->set_flags(HV_ROUTE_LATE_WRITES);
  hv::v1::MmuServiceState slot;
  slot.add_slots()->set_bytes(1);
  const State before = state_;
  for (const std::string& bytes :
       {many.SerializeAsString(), space.SerializeAsString(), flags.SerializeAsString(),
        late.SerializeAsString(), slot.SerializeAsString(), std::string("\xff\xff\xff")}) {
    EXPECT_TRUE(absl::IsInvalidArgument(core_.Import(&state_, bytes)));
    EXPECT_EQ(std::memcmp(&state_, &before, sizeof(State)), 0);
  }
}

TEST_F(MmuCoreTest, EachNewMapIsToldOnceBeforeItIsPublished) {
  std::vector<uint32_t> told;  // the generation that was published then
  MmuCore typed({.map = TestMap(), .table = table_.get(), .on_new_map = [&](const GuestMap& map) {
                   EXPECT_EQ(map.slots[0].flags, uint32_t{HV_MEMORY_WATCHED});
                   told.push_back(table_->generation);
                 }});
  service::Core& core = typed;
  state_.map.slots[0].flags = HV_MEMORY_WATCHED;
  core.Project(&state_);
  core.Project(&state_);
  EXPECT_EQ(told, (std::vector<uint32_t>{0}));
  state_.generation = NextGeneration(state_.generation);
  core.Project(&state_);
  EXPECT_EQ(told, (std::vector<uint32_t>{0, 2}));
}

Message StoreOf(uint64_t address, uint32_t length) {
  hv_store store{.address = address, .length = length};
  std::memset(store.bytes, 0xab, sizeof(store.bytes));
  return Message::Of(HV_ENDPOINT(HV_ROLE_VCPU, 0), HV_KIND_STORE, 5, store);
}

TEST(MmuCoreStoreTest, BytesAreStoredAndTheSenderIsTold) {
  std::vector<std::byte> ram(0x20000);
  std::vector<uint64_t> words(sizeof(hv_dirty_log) / 8 + 1);
  const PageLog log = PageLog::Open(std::as_writable_bytes(std::span(words)), 32).value();
  MmuCore typed({.map = TestMap(), .ram = ram, .logs = PageLogs{log, log}});
  service::Core& core = typed;
  State state{};
  Actions actions;
  core.Reset(&state, 0, actions);
  EXPECT_TRUE(core.Handle(&state, StoreOf(0x1000, HV_STORE_MAX), 0, actions));
  ASSERT_EQ(actions.messages().size(), 1u);
  EXPECT_EQ(actions.messages()[0].to, HV_ENDPOINT(HV_ROLE_VCPU, 0));
  EXPECT_EQ(actions.messages()[0].kind, HV_KIND_STORE_DONE);
  EXPECT_EQ(actions.messages()[0].tag, 5u);
  EXPECT_EQ(actions.messages()[0].As<hv_store_done>().refused, 0u);
  EXPECT_EQ(std::count(ram.begin() + 0x1000, ram.end(), std::byte{0xab}), long{HV_STORE_MAX});
  for (const auto& bad : {StoreOf(kRom, 4), StoreOf(kHole, 4), StoreOf(0x1000, 0),
                          StoreOf(0x1000, HV_STORE_MAX + 1), StoreOf(0x1000, UINT32_MAX)}) {
    Actions refusal;
    EXPECT_FALSE(core.Handle(&state, bad, 0, refusal));
    ASSERT_EQ(refusal.messages().size(), 1u);
    EXPECT_EQ(refusal.messages()[0].As<hv_store_done>().refused, 1u);
  }
}

// Whatever a peer says: each request is answered exactly once, nothing else is sent, and every
// access is counted once.
TEST_F(MmuCoreTest, RandomMessagesAreAnsweredOnceAndCountedOnce) {
  std::mt19937_64 random(7);
  const State before = state_;
  uint64_t accesses = 0;
  for (int round = 0; round < 200000; ++round) {
    Message message{.from = static_cast<uint32_t>(random()),
                    .kind = static_cast<uint16_t>(random() % 64),
                    .tag = static_cast<uint32_t>(random())};
    for (uint8_t& byte : message.payload) byte = static_cast<uint8_t>(random());
    Actions actions;
    const bool taken = core_.Handle(&state_, message, random(), actions);
    // The core of this test has no RAM: what is to be stored is refused.
    const bool refused = message.kind == HV_KIND_STORE;
    const bool answered = message.kind == HV_KIND_READ || message.kind == HV_KIND_WRITE || refused;
    ASSERT_EQ(taken, (answered && !refused) || message.kind == HV_KIND_WRITE_POSTED);
    ASSERT_EQ(actions.messages().size(), answered ? 1u : 0u);
    if (answered) {
      ASSERT_EQ(actions.messages()[0].to, message.from);
      ASSERT_EQ(actions.messages()[0].tag, message.tag);
    }
    accesses += taken ? 1 : 0;  // a store is none
  }
  EXPECT_EQ(state_.hole_reads + state_.hole_writes + state_.rom_writes + state_.protected_writes,
            accesses);
  EXPECT_EQ(std::memcmp(&state_.map, &before.map, sizeof(GuestMap)), 0);
}

// Bytes near a valid state: refused, or accepted as a map that keeps its rules.
TEST_F(MmuCoreTest, RandomStatesAreRefusedOrKeepTheRules) {
  std::mt19937_64 random(11);
  const std::string valid = core_.Export(&state_).value();
  int accepted = 0;
  for (int round = 0; round < 50000; ++round) {
    std::string bytes = valid;
    for (uint64_t changes = 1 + random() % 4; changes > 0; --changes) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    State state{};
    if (!core_.Import(&state, bytes).ok()) continue;
    ++accepted;
    ASSERT_EQ(state.generation, 2u);
    ASSERT_TRUE(CheckMap(state.map).ok());
  }
  EXPECT_GT(accepted, 100);
}

}  // namespace
}  // namespace hv::mmu
