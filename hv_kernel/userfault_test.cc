#include "hv_kernel/userfault.h"

#include <gtest/gtest.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "proto/hv/v1/manifest.pb.h"
#include "service/descriptor_socket.h"
#include "service/sandbox.h"

namespace hv {
namespace {

constexpr size_t kBytes = 1 << 20;

class UserfaultTest : public testing::TestWithParam<FaultsOf> {
 protected:
  ~UserfaultTest() override { munmap(memory_, kBytes); }
  std::span<std::byte> ram() const { return {static_cast<std::byte*>(memory_), kBytes}; }

  void* const memory_ =
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
};

INSTANTIATE_TEST_SUITE_P(FaultsOf, UserfaultTest,
                         testing::Values(FaultsOf::kUserMode, FaultsOf::kEveryMode),
                         [](const auto& info) {
                           return info.param == FaultsOf::kUserMode ? "UserMode" : "EveryMode";
                         });

TEST_P(UserfaultTest, WhoTouchesAMissingPageWaitsAndIsTold) {
  auto fd = WatchMissingPages(ram(), GetParam());
  if (!fd.ok()) GTEST_SKIP() << "SKIPPED: " << fd.status();
  std::thread vcpu([this] { ram()[0x5123] = std::byte{1}; });
  pollfd readable{.fd = fd->get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(poll(&readable, 1, -1), 1);
  uffd_msg event;
  ASSERT_EQ(read(fd->get(), &event, sizeof(event)), static_cast<ssize_t>(sizeof(event)));
  EXPECT_EQ(event.event, UFFD_EVENT_PAGEFAULT);
  EXPECT_EQ(event.arg.pagefault.address & ~0xfffull, reinterpret_cast<uint64_t>(memory_) + 0x5000);
  // The last holder goes: the host gives pages again.
  fd->Reset();
  vcpu.join();
  EXPECT_EQ(ram()[0x5123], std::byte{1});
}

// As hvd does at the first use of a write watch.
TEST_P(UserfaultTest, WhereTheHostTellsOfWritesItCanBeRegisteredForThem) {
  auto fd = WatchMissingPages(ram(), GetParam());
  if (!fd.ok()) GTEST_SKIP() << "SKIPPED: " << fd.status();
  uffdio_register range{};
  range.range = {.start = reinterpret_cast<uint64_t>(memory_), .len = kBytes};
  range.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP;
  if (ioctl(fd->get(), UFFDIO_REGISTER, &range) != 0) {
    GTEST_SKIP() << "SKIPPED: userfaultfd: no write protection of shared memory";
  }
  EXPECT_NE(range.ioctls & 1ull << _UFFDIO_WRITEPROTECT, 0u);
  uffdio_zeropage page{};
  page.range = {.start = range.range.start, .len = 4096};
  ASSERT_EQ(ioctl(fd->get(), UFFDIO_ZEROPAGE, &page), 0);
  uffdio_writeprotect protect{};
  protect.range = page.range;
  protect.mode = UFFDIO_WRITEPROTECT_MODE_WP;
  ASSERT_EQ(ioctl(fd->get(), UFFDIO_WRITEPROTECT, &protect), 0);
  std::thread vcpu([this] { ram()[0x123] = std::byte{1}; });
  pollfd readable{.fd = fd->get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(poll(&readable, 1, -1), 1);
  uffd_msg event;
  ASSERT_EQ(read(fd->get(), &event, sizeof(event)), static_cast<ssize_t>(sizeof(event)));
  EXPECT_NE(event.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP, 0u);
  protect.mode = 0;
  EXPECT_EQ(ioctl(fd->get(), UFFDIO_WRITEPROTECT, &protect), 0);
  vcpu.join();
}

// As a container's filter does.
TEST_P(UserfaultTest, AHostThatDoesNotPermitItSaysWhy) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
  const UniqueFd ours(ends[0]), theirs(ends[1]);
  const pid_t child = fork();
  if (child == 0) {
    service::SandboxReport report;
    service::CloseSystemCalls(report);
    const auto fd = WatchMissingPages(ram(), GetParam());
    _exit(absl::IsPermissionDenied(fd.status()) && SendUserfault(theirs.get(), fd, ram()).ok() ? 0
                                                                                               : 1);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  const auto sent = service::ReceiveWithDescriptors(ours.get());
  ASSERT_TRUE(sent.ok()) << sent.status();
  EXPECT_TRUE(sent->fds.empty());
  hv::v1::Userfault message;
  ASSERT_TRUE(message.ParseFromString(sent->bytes));
  EXPECT_NE(message.refusal().find("userfaultfd: Operation not permitted"), std::string::npos);
  EXPECT_EQ(message.refusal().find("/dev/userfaultfd") != std::string::npos,
            GetParam() == FaultsOf::kEveryMode);
}

TEST(UserfaultMemoryTest, WhatIsNoMappingOfSharedMemoryIsRefused) {
  alignas(4096) static std::byte odd[8192];
  const auto fd = WatchMissingPages({odd + 1, 4096}, FaultsOf::kUserMode);
  EXPECT_FALSE(fd.ok());
}

TEST(UserfaultMemoryTest, HvdIsSentTheDescriptorWithItsRange) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
  const UniqueFd ours(ends[0]), theirs(ends[1]);
  std::byte* const base = reinterpret_cast<std::byte*>(0x7f0000000000);
  ASSERT_TRUE(SendUserfault(theirs.get(), UniqueFd(dup(2)), {base, kBytes}).ok());
  const auto sent = service::ReceiveWithDescriptors(ours.get());
  ASSERT_TRUE(sent.ok()) << sent.status();
  EXPECT_EQ(sent->fds.size(), 1u);
  hv::v1::Userfault message;
  ASSERT_TRUE(message.ParseFromString(sent->bytes));
  EXPECT_EQ(message.address(), 0x7f0000000000u);
  EXPECT_EQ(message.bytes(), kBytes);
  EXPECT_EQ(message.refusal(), "");
}

}  // namespace
}  // namespace hv
