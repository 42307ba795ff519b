#include "hvd/supervision/write_registration.h"

#include <gtest/gtest.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include <thread>

#include "hvd/supervision/pager_watch.h"
#include "hvd/testing/watched_ram.h"
#include "ring/segment.h"

namespace hv::hvd {
namespace {

constexpr uint64_t kBytes = 1 << 20;

class WriteRegistrationTest : public testing::Test {
 protected:
  void SetUp() override {
    auto userfault = WatchRam(ram_.bytes());
    if (!userfault.ok()) GTEST_SKIP() << "SKIPPED: " << userfault.status();
    paging_ = {.userfault = *std::move(userfault),
               .address = reinterpret_cast<uint64_t>(ram_.bytes().data()),
               .bytes = kBytes,
               .notice = ""};
    const auto status = RegisterForWrites(paging_, page_);
    if (!status.ok()) GTEST_SKIP() << "SKIPPED: " << status;
  }
  int Protect() {
    uffdio_writeprotect request{};
    request.range = {.start = paging_.address, .len = paging_.bytes};
    request.mode = UFFDIO_WRITEPROTECT_MODE_WP;
    return ioctl(paging_.userfault.get(), UFFDIO_WRITEPROTECT, &request) == 0 ? 0 : errno;
  }

  ring::Mapping ram_ =
      ring::Mapping::Map(ring::CreateSegment("ram", kBytes)->get(), kBytes, true).value();
  GuestPaging paging_;
  hv_pager_page page_{};
};

TEST(WatchableTest, WhereTheHostPagesItSaysWhyAndWhatHelps) {
  const hv_pager_page page{};
  GuestPaging paging;
  absl::Status status = RegisterForWrites(paging, page);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(status.message().find("configuration says so"), std::string::npos);
  paging.notice = "userfaultfd: Operation not permitted";
  status = RegisterForWrites(paging, page);
  EXPECT_NE(status.message().find("Operation not permitted; hvctl doctor"), std::string::npos);
}

TEST_F(WriteRegistrationTest, RegisteredRamCanBeProtectedAndRegisteredAgain) {
  EXPECT_EQ(Protect(), 0);
  EXPECT_TRUE(RegisterForWrites(paging_, page_).ok());
}

TEST_F(WriteRegistrationTest, WhoeverWaitsToWriteGoesOnWhenTheHostPagesAgain) {
  uffdio_zeropage page{};
  page.range = {.start = paging_.address, .len = kBytes};
  ASSERT_EQ(ioctl(paging_.userfault.get(), UFFDIO_ZEROPAGE, &page), 0);
  ASSERT_EQ(Protect(), 0);
  std::thread vcpu([this] { ram_.bytes()[0x5000] = std::byte{1}; });
  PagerWatch watch(paging_, page_, std::chrono::milliseconds(50));
  EXPECT_TRUE(watch.Release().ok());
  vcpu.join();
  ram_.bytes()[0x7000] = std::byte{1};
  EXPECT_TRUE(absl::IsFailedPrecondition(RegisterForWrites(paging_, page_)));
  EXPECT_EQ(Protect(), ENOENT) << "nothing is registered";
}

}  // namespace
}  // namespace hv::hvd
