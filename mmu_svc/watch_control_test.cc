// The write watch as hvd asks for it.
#include "mmu_svc/mmu_control_fixture.h"

namespace hv::mmu {
namespace {

using WatchControlTest = MmuControlFixture;

TEST_F(WatchControlTest, AWatchIsCommittedThenProtectedAndBeginsEmpty) {
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
TEST_F(WatchControlTest, AWatchAskedForAgainIsProtectedAgainAndKeepsWhatIsNoted) {
  memory_.error = ESRCH;
  EXPECT_EQ(Watch(true).error_code(), grpc::StatusCode::UNAVAILABLE);
  memory_.error = 0;
  written() = 0x10;
  ASSERT_TRUE(Watch(true).ok());
  EXPECT_EQ(written(), 0x10u);
  EXPECT_EQ(memory_.is_protected.size(), kPages);
}

TEST_F(WatchControlTest, AWatchThatEndsLetsWhoWaitsGoOn) {
  ASSERT_TRUE(Watch(true).ok());
  memory_.present = {0x4000};
  memory_.Write(0x4000);
  ASSERT_TRUE(Watch(false).ok());
  EXPECT_TRUE(memory_.waiting.empty());
  EXPECT_TRUE(memory_.is_protected.empty());
  EXPECT_FALSE(shown_.regions(0).write_watch());
}

TEST_F(WatchControlTest, WrittenPagesAreReadAndWatchedAnew) {
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

TEST_F(WatchControlTest, WhereTheHostPagesThereIsNoWatch) {
  MmuControl control(access_, logs_, BytesOf(ram_), nullptr);
  hv::v1::MmuSetNotingRequest request;
  request.set_on(true);
  EXPECT_EQ(control.SetWriteWatch(nullptr, &request, &shown_).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_FALSE(access_.state.map.slots[0].flags & HV_MEMORY_WATCHED);
}

}  // namespace
}  // namespace hv::mmu
