#include "hvd/supervision/paging_handover.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <vector>

#include "hvd/host/socket_pair.h"
#include "hvd/testing/watched_ram.h"
#include "proto/hv/v1/manifest.pb.h"
#include "ring/segment.h"
#include "service/descriptor_socket.h"

namespace hv::hvd {
namespace {

constexpr uint64_t kMemory = 4 << 20;

class PagingHandoverTest : public testing::Test {
 protected:
  PagingHandoverTest() {
    message_.set_address(reinterpret_cast<uint64_t>(ram_.bytes().data()));
    message_.set_bytes(kMemory);
  }
  absl::StatusOr<GuestPaging> Receive(std::vector<int> fds) {
    const auto sent =
        service::SendWithDescriptors(sockets_.theirs.get(), message_.SerializeAsString(), fds);
    EXPECT_TRUE(sent.ok()) << sent;
    return ReceivePaging(sockets_.ours.get(), kMemory);
  }
  void ExpectRefused(std::vector<int> fds) {
    EXPECT_EQ(Receive(std::move(fds)).status().code(), absl::StatusCode::kInternal);
  }

  SocketPair sockets_ = MakeSocketPair(SOCK_SEQPACKET).value();
  ring::Mapping ram_ =
      ring::Mapping::Map(ring::CreateSegment("ram", kMemory)->get(), kMemory, true).value();
  absl::StatusOr<UniqueFd> userfault_ = WatchRam(ram_.bytes());
  hv::v1::Userfault message_;
};

TEST_F(PagingHandoverTest, ADescriptorWithItsRange) {
  if (!userfault_.ok()) GTEST_SKIP() << "SKIPPED: " << userfault_.status();
  const auto paging = Receive({userfault_->get()});
  ASSERT_TRUE(paging.ok()) << paging.status();
  EXPECT_TRUE(paging->on_demand());
  EXPECT_EQ(paging->address, message_.address());
  EXPECT_EQ(paging->bytes, kMemory);
  EXPECT_EQ(paging->notice, "");
}

TEST_F(PagingHandoverTest, AHostThatDoesNotPermitItIsANotice) {
  message_.Clear();
  message_.set_refusal("userfaultfd: Operation not permitted");
  const auto paging = Receive({});
  ASSERT_TRUE(paging.ok()) << paging.status();
  EXPECT_FALSE(paging->on_demand());
  EXPECT_EQ(paging->notice, "userfaultfd: Operation not permitted");
}

TEST_F(PagingHandoverTest, AKernelThatSaysNothingIsNotWaitedFor) {
  EXPECT_EQ(ReceivePaging(sockets_.ours.get(), kMemory).status().code(),
            absl::StatusCode::kInternal);
  sockets_.theirs.Reset();
  EXPECT_EQ(ReceivePaging(sockets_.ours.get(), kMemory).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(PagingHandoverTest, WhatIsNoUserfaultfdIsRefused) {
  const UniqueFd event(eventfd(0, EFD_CLOEXEC));
  ExpectRefused({event.get()});
  ExpectRefused({});
}

TEST_F(PagingHandoverTest, ARangeThatIsNotGuestRamIsRefused) {
  if (!userfault_.ok()) GTEST_SKIP() << "SKIPPED: " << userfault_.status();
  const int fd = userfault_->get();
  ExpectRefused({fd, fd});
  message_.set_bytes(kMemory - 4096);
  ExpectRefused({fd});
  message_.set_bytes(kMemory);
  message_.set_address(message_.address() + 1);
  ExpectRefused({fd});
  message_.set_address(0 - kMemory / 2);
  ExpectRefused({fd});
}

}  // namespace
}  // namespace hv::hvd
