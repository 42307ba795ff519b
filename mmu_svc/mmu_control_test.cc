// MmuControl as hvd uses it, over a state, a log and RAM that the test looks into.
#include "mmu_svc/mmu_control.h"

#include <cstring>
#include <memory>
#include <vector>

#include "abi/route_table.h"
#include "gtest/gtest.h"
#include "mmu_svc/pager/fake_guest_memory.h"

namespace hv::mmu {
namespace {

constexpr uint64_t kPages = 64;
constexpr uint64_t kHigh = 0x100000000;
constexpr Window kWindow{.address = 0x7f0000000000, .bytes = kPages * kPageBytes};

// The state without a service: a change that is OK is committed, any other leaves no trace.
class FakeStateAccess : public service::StateAccess {
 public:
  void Look(const std::function<void(const void*)>& look) override { look(&state); }
  absl::Status Change(const std::function<absl::Status(void*)>& change) override {
    State copy = state;
    absl::Status status = change(&copy);
    if (before_commit) before_commit();
    if (status.ok() && !dies_before_commit) state = copy;
    return status;
  }
  State state{};
  bool dies_before_commit = false;
  std::function<void()> before_commit;
};

// 32 pages of RAM at 0 and 32 at 4 GiB.
class MmuControlTest : public testing::Test {
 protected:
  MmuControlTest()
      : ram_(kPages * 512),
        log_memory_(sizeof(hv_dirty_log) / 8 + kPages / 64),
        written_memory_(log_memory_) {
    State& state = access_.state;
    state.generation = 2;
    state.map.slot_count = 2;
    state.map.slots[0] = {.address = 0, .bytes = 32 * kPageBytes, .offset = 0};
    state.map.slots[1] = {.address = kHigh, .bytes = 32 * kPageBytes, .offset = 32 * kPageBytes};
    state.map.route_count = 1;
    state.map.routes[0] = {0xfed00000,
                           0xfed003ff,
                           HV_ENDPOINT(HV_ROLE_TIMER, 0),
                           HV_SPACE_MMIO,
                           HV_ROUTE_POSTED_WRITES | HV_ROUTE_LATE_WRITES,
                           0};
  }

  template <typename T>
  static std::span<std::byte> BytesOf(std::vector<T>& memory) {
    return {reinterpret_cast<std::byte*>(memory.data()), memory.size() * sizeof(T)};
  }
  static PageLog Open(std::vector<uint64_t>& memory) {
    return PageLog::Open(BytesOf(memory), kPages).value();
  }
  uint64_t& log() { return log_memory_.back(); }
  uint64_t& written() { return written_memory_.back(); }

  grpc::Status LogDirty(bool on, uint64_t address = 0, uint64_t bytes = 0) {
    hv::v1::MmuSetNotingRequest request;
    request.set_address(address);
    request.set_bytes(bytes);
    request.set_on(on);
    shown_.Clear();
    return control_.SetDirtyLogging(nullptr, &request, &shown_);
  }
  grpc::Status Watch(bool on, uint64_t address = 0, uint64_t bytes = 0) {
    hv::v1::MmuSetNotingRequest request;
    request.set_address(address);
    request.set_bytes(bytes);
    request.set_on(on);
    shown_.Clear();
    return control_.SetWriteWatch(nullptr, &request, &shown_);
  }
  grpc::Status ReadWritten(uint64_t address) {
    hv::v1::MmuReadPagesRequest request;
    request.set_address(address);
    dirty_.Clear();
    return control_.ReadWrittenPages(nullptr, &request, &dirty_);
  }
  grpc::Status Rewatch(const hv::v1::DirtyPages& pages) {
    hv::v1::MmuClearPagesResponse response;
    return control_.RewatchPages(nullptr, &pages, &response);
  }
  grpc::Status Protect(bool on, uint64_t address, uint64_t bytes) {
    hv::v1::MmuSetWriteProtectionRequest request;
    request.set_address(address);
    request.set_bytes(bytes);
    request.set_on(on);
    shown_.Clear();
    return control_.SetWriteProtection(nullptr, &request, &shown_);
  }
  grpc::Status Read(uint64_t address) {
    hv::v1::MmuReadPagesRequest request;
    request.set_address(address);
    dirty_.Clear();
    return control_.ReadDirtyLog(nullptr, &request, &dirty_);
  }
  grpc::Status Clear(const hv::v1::DirtyPages& pages) {
    hv::v1::MmuClearPagesResponse response;
    return control_.ClearDirtyLog(nullptr, &pages, &response);
  }

  FakeStateAccess access_;
  std::vector<uint64_t> ram_;
  std::vector<uint64_t> log_memory_;
  std::vector<uint64_t> written_memory_;
  PageLogs logs_{.dirty = Open(log_memory_), .written = Open(written_memory_)};
  FakeGuestMemory memory_{kWindow};
  WriteWatch watch_{memory_, kWindow, logs_.written, {}};
  MmuControl control_{access_, logs_, BytesOf(ram_), &watch_};
  hv::v1::GuestMemory shown_;
  hv::v1::DirtyPages dirty_;
};

TEST_F(MmuControlTest, TheMapIsShownWithItsCounters) {
  access_.state.hole_reads = 1;
  access_.state.hole_writes = 2;
  access_.state.rom_writes = 3;
  access_.state.protected_writes = 4;
  access_.state.map.slots[1].flags = HV_MEMORY_READ_ONLY | HV_MEMORY_LOG_DIRTY;
  ASSERT_TRUE(control_.GetMap(nullptr, nullptr, &shown_).ok());
  ASSERT_EQ(shown_.regions_size(), 2);
  EXPECT_EQ(shown_.regions(0).kind(), hv::v1::MEMORY_KIND_RAM);
  EXPECT_EQ(shown_.regions(1).kind(), hv::v1::MEMORY_KIND_ROM);
  EXPECT_TRUE(shown_.regions(1).dirty_logging());
  EXPECT_EQ(shown_.regions(1).offset(), 32 * kPageBytes);
  ASSERT_EQ(shown_.routes_size(), 1);
  EXPECT_EQ(shown_.routes(0).service(), "timer_svc");
  EXPECT_EQ(shown_.routes(0).space(), hv::v1::ROUTE_SPACE_MMIO);
  EXPECT_TRUE(shown_.routes(0).posted_writes());
  EXPECT_TRUE(shown_.routes(0).late_writes());
  EXPECT_FALSE(shown_.routes(0).counted_writes());
  EXPECT_EQ(shown_.hole_reads(), 1u);
  EXPECT_EQ(shown_.hole_writes(), 2u);
  EXPECT_EQ(shown_.rom_writes(), 3u);
  EXPECT_EQ(shown_.protected_writes(), 4u);
  EXPECT_EQ(shown_.generation(), 2u);
}

TEST_F(MmuControlTest, AChangeIsANewGenerationAndItsRepetitionIsNot) {
  ASSERT_TRUE(Protect(true, 0x4000, 0x1000).ok());
  EXPECT_EQ(shown_.generation(), 4u);
  EXPECT_EQ(shown_.regions_size(), 4);
  EXPECT_TRUE(shown_.regions(1).write_protected());
  EXPECT_EQ(shown_.regions(1).kind(), hv::v1::MEMORY_KIND_RAM);
  ASSERT_TRUE(Protect(true, 0x4000, 0x1000).ok());
  EXPECT_EQ(shown_.generation(), 4u);
  ASSERT_TRUE(Protect(false, 0x4000, 0x1000).ok());
  EXPECT_EQ(shown_.generation(), 6u);
  EXPECT_EQ(shown_.regions_size(), 2);
}

TEST_F(MmuControlTest, ARefusedChangeSaysWhyAndChangesNothing) {
  const State before = access_.state;
  const grpc::Status status = Protect(true, 31 * kPageBytes, 2 * kPageBytes);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "range: no memory at 0x20000");
  EXPECT_EQ(std::memcmp(&access_.state, &before, sizeof(State)), 0);
}

TEST_F(MmuControlTest, ALogBeginsEmptyAndIsKeptWhenItIsOnAlready) {
  log() = 0xf0;
  ASSERT_TRUE(LogDirty(true).ok());
  EXPECT_EQ(log(), 0u);
  log() = 0xf;
  ASSERT_TRUE(LogDirty(true).ok());
  EXPECT_EQ(log(), 0xfu);
}

TEST_F(MmuControlTest, ALogIsEmptyBeforeItsSwitchIsCommitted) {
  log() = 0xf0;
  access_.before_commit = [&] { EXPECT_EQ(log(), 0u); };
  access_.dies_before_commit = true;
  ASSERT_TRUE(LogDirty(true).ok());
  access_.dies_before_commit = false;
  access_.before_commit = nullptr;
  // The successor is asked again.
  ASSERT_TRUE(LogDirty(true).ok());
  EXPECT_TRUE(shown_.regions(0).dirty_logging());
}

TEST_F(MmuControlTest, LogOfOneRangeLeavesTheOtherPagesAlone) {
  log() = UINT64_MAX;
  ASSERT_TRUE(LogDirty(true, kHigh, 2 * kPageBytes).ok());
  EXPECT_EQ(log(), UINT64_MAX & ~(3ull << 32));
}

TEST_F(MmuControlTest, ReadingGoesFromRangeToRangeAndSkipsWhatIsNotLogged) {
  EXPECT_EQ(Read(0).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  ASSERT_TRUE(LogDirty(true, 0x4000, 0x2000).ok());
  ASSERT_TRUE(LogDirty(true, kHigh, 0).ok());
  log() = 1ull << 5 | 1ull << 63 | 1ull << 9;
  ASSERT_TRUE(Read(0).ok());
  EXPECT_EQ(dirty_.address(), 0x4000u);
  EXPECT_EQ(dirty_.bitmap(), std::string("\x02", 1));
  EXPECT_EQ(dirty_.next_address(), kHigh);
  ASSERT_TRUE(Read(dirty_.next_address()).ok());
  EXPECT_EQ(dirty_.address(), kHigh);
  EXPECT_EQ(dirty_.bitmap(), std::string("\0\0\0\x80", 4));
  EXPECT_EQ(dirty_.next_address(), 0u);
  ASSERT_TRUE(Read(0x5000).ok());
  EXPECT_EQ(dirty_.address(), 0x5000u);
  EXPECT_EQ(dirty_.bitmap(), std::string("\x01", 1));
  ASSERT_TRUE(Read(kHigh + 32 * kPageBytes).ok());
  EXPECT_TRUE(dirty_.bitmap().empty());
  EXPECT_EQ(Read(1).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(MmuControlTest, AnAnswerCoversAtMostTwoGibibytes) {
  access_.state.map.slots[1].bytes = uint64_t{5} << 30;
  ASSERT_TRUE(LogDirty(true).ok());
  ASSERT_TRUE(Read(kHigh).ok());
  EXPECT_EQ(dirty_.bitmap().size(), 65536u);
  EXPECT_EQ(dirty_.next_address(), kHigh + (uint64_t{2} << 30));
  ASSERT_TRUE(Read(kHigh + (uint64_t{4} << 30)).ok());
  EXPECT_EQ(dirty_.bitmap().size(), 32768u);
  EXPECT_EQ(dirty_.next_address(), 0u);
}

TEST_F(MmuControlTest, WhatWasReadIsClearedAndMarksMadeMeanwhileStay) {
  ASSERT_TRUE(LogDirty(true).ok());
  log() = 0xff00000000;
  ASSERT_TRUE(Read(kHigh).ok());
  log() |= 1ull << 48;
  ASSERT_TRUE(Clear(dirty_).ok());
  EXPECT_EQ(log(), 1ull << 48);
}

TEST_F(MmuControlTest, ClearingOutsideOfTheRangeIsRefused) {
  log() = UINT64_MAX;
  hv::v1::DirtyPages pages;
  pages.set_address(30 * kPageBytes);
  pages.set_bitmap("\xff");
  ASSERT_TRUE(Clear(pages).ok());  // six bits lie past the range
  EXPECT_EQ(log(), UINT64_MAX & ~(3ull << 30));
  pages.set_bitmap(std::string(2, '\xff'));
  EXPECT_EQ(Clear(pages).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  pages.set_address(0x7000000);
  EXPECT_EQ(Clear(pages).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  pages.set_address(1);
  EXPECT_EQ(Clear(pages).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(MmuControlTest, AWatchIsCommittedThenProtectedAndBeginsEmpty) {
  written() = 0x30;
  access_.before_commit = [&] {
    EXPECT_EQ(written(), 0u);
    EXPECT_TRUE(memory_.is_protected.empty());
  };
  ASSERT_TRUE(Watch(true, 0x4000, 0x2000).ok());
  EXPECT_EQ(memory_.is_protected, (std::set<uint64_t>{0x4000, 0x5000}));
  ASSERT_EQ(shown_.regions_size(), 4);
  EXPECT_TRUE(shown_.regions(1).write_watch());
  EXPECT_FALSE(shown_.regions(1).dirty_logging());
  EXPECT_FALSE(shown_.regions(2).write_watch());
  EXPECT_EQ(log(), 0u);
}

// What a death has cut short after the commit: pages are watched and not protected yet.
TEST_F(MmuControlTest, AWatchAskedForAgainIsProtectedAgainAndKeepsWhatIsNoted) {
  memory_.error = ESRCH;
  EXPECT_EQ(Watch(true).error_code(), grpc::StatusCode::UNAVAILABLE);
  memory_.error = 0;
  written() = 0x10;
  ASSERT_TRUE(Watch(true).ok());
  EXPECT_EQ(written(), 0x10u);
  EXPECT_EQ(memory_.is_protected.size(), kPages);
}

TEST_F(MmuControlTest, AWatchThatEndsLetsWhoWaitsGoOn) {
  ASSERT_TRUE(Watch(true).ok());
  memory_.present = {0x4000};
  memory_.Write(0x4000);
  ASSERT_TRUE(Watch(false).ok());
  EXPECT_TRUE(memory_.waiting.empty());
  EXPECT_TRUE(memory_.is_protected.empty());
  EXPECT_FALSE(shown_.regions(0).write_watch());
}

TEST_F(MmuControlTest, WrittenPagesAreReadAndWatchedAnew) {
  EXPECT_EQ(ReadWritten(0).error_message(), "the write watch is off; switch it on first");
  ASSERT_TRUE(Watch(true, kHigh, 0).ok());
  memory_.is_protected.clear();
  written() = 1ull << 40 | 1ull << 3;  // page 3 is not watched
  ASSERT_TRUE(ReadWritten(0).ok());
  EXPECT_EQ(dirty_.address(), kHigh);
  EXPECT_EQ(dirty_.bitmap(), std::string("\0\x01\0\0", 4));
  ASSERT_TRUE(Rewatch(dirty_).ok());
  EXPECT_EQ(memory_.is_protected, (std::set<uint64_t>{40 * kPageBytes}));
  EXPECT_EQ(written(), 1ull << 3);
  dirty_.set_address(0);
  EXPECT_EQ(Rewatch(dirty_).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(MmuControlTest, WhereTheHostPagesThereIsNoWatch) {
  MmuControl control(access_, logs_, BytesOf(ram_), nullptr);
  hv::v1::MmuSetNotingRequest request;
  request.set_on(true);
  EXPECT_EQ(control.SetWriteWatch(nullptr, &request, &shown_).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_FALSE(access_.state.map.slots[0].flags & HV_MEMORY_WATCHED);
}

TEST_F(MmuControlTest, ATranslationSaysWhatLiesThere) {
  const auto entry = [this](uint64_t physical) -> uint64_t& { return ram_[physical / 8]; };
  entry(0x1000) = 0x2007;
  entry(0x2000) = 0x3007;
  entry(0x3000) = 0xfee00000 | 0x83;  // 2 MiB, no memory there
  entry(0x3008) = 0x87;               // 2 MiB at 0
  hv::v1::MmuTranslateRequest request;
  request.set_linear(0x201234);
  request.set_cr0(0x80000001);
  request.set_cr3(0x1000);
  request.set_cr4(0x20);
  request.set_efer(0x500);
  hv::v1::Translation found;
  ASSERT_TRUE(control_.Translate(nullptr, &request, &found).ok());
  EXPECT_EQ(found.outcome(), hv::v1::TRANSLATION_OUTCOME_MAPPED);
  EXPECT_EQ(found.mode(), hv::v1::PAGING_MODE_4_LEVEL);
  EXPECT_EQ(found.physical(), 0x1234u);
  EXPECT_EQ(found.page_bytes(), 2u << 20);
  EXPECT_EQ(found.kind(), hv::v1::MEMORY_KIND_RAM);
  EXPECT_EQ(found.walk_size(), 3);
  EXPECT_EQ(found.walk(2).value(), 0x87u);
  request.set_linear(0x1234);
  found.Clear();
  ASSERT_TRUE(control_.Translate(nullptr, &request, &found).ok());
  EXPECT_EQ(found.physical(), 0xfee01234u);
  EXPECT_EQ(found.kind(), hv::v1::MEMORY_KIND_UNSPECIFIED);
  request.set_linear(0x400000);
  found.Clear();
  ASSERT_TRUE(control_.Translate(nullptr, &request, &found).ok());
  EXPECT_EQ(found.outcome(), hv::v1::TRANSLATION_OUTCOME_NOT_PRESENT);
  EXPECT_EQ(found.failed_level(), 2u);
  EXPECT_EQ(found.physical(), 0u);
}

}  // namespace
}  // namespace hv::mmu
