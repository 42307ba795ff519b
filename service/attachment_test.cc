// Attaching over a real socket: what is taken, and what is refused with which words.
#include "service/attachment.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "abi/version.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "service/descriptor_socket.h"
#include "service/testing/test_machine.h"
#include "service/testing/test_process.h"

namespace hv::service {
namespace {

class AttachmentTest : public testing::Test {
 protected:
  AttachmentTest() {
    int pair[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    supervisor_.Reset(pair[0]);
    service_.Reset(pair[1]);
    manifest_ = machine_.Manifest(1, control_.get(), fds_);
  }
  // What a process gets that is sent the manifest.
  absl::StatusOr<Attachment> Receive() {
    const auto sent = SendManifest(supervisor_.get(), manifest_, fds_);
    EXPECT_TRUE(sent.ok()) << sent;
    return Attachment::Receive(service_.get());
  }
  void ExpectRefused(absl::StatusCode code, const std::string& because) {
    const auto status = Receive().status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_NE(std::string(status.message()).find(because), std::string::npos) << status;
  }

  TestMachine machine_;
  UniqueFd supervisor_;
  UniqueFd service_;
  UniqueFd control_{dup(2)};
  std::vector<int> fds_;
  hv::v1::Manifest manifest_;
};

TEST_F(AttachmentTest, MapsWhatTheManifestNames) {
  auto attachment = Receive();
  ASSERT_TRUE(attachment.ok()) << attachment.status();
  EXPECT_EQ(attachment->manifest().endpoint(), TestMachine::kSelf);
  EXPECT_EQ(attachment->segments().size(), machine_.SegmentNames().size());
  EXPECT_TRUE(attachment->TakeControl().valid());
  // The same memory, not a copy.
  machine_.state().received = 4711;
  const auto* state = attachment->FindAs<hv_state_header>(HV_SEGMENT_STATE);
  ASSERT_NE(state, nullptr);
  EXPECT_EQ(state->received, 4711u);
}

TEST_F(AttachmentTest, FindsBySegmentKindAndOwner) {
  const auto attachment = Receive().value();
  EXPECT_NE(attachment.FindAs<hv_wake>(HV_SEGMENT_WAKE, TestMachine::kVcpu), nullptr);
  EXPECT_EQ(attachment.FindAs<hv_wake>(HV_SEGMENT_WAKE, HV_ENDPOINT(HV_ROLE_MMU, 0)), nullptr);
  EXPECT_TRUE(attachment.Find(HV_SEGMENT_GUEST_RAM).empty());
}

TEST_F(AttachmentTest, SaysInWordsWhatItMaps) {
  const auto maps = Receive().value().DescribeMaps();
  EXPECT_EQ(std::count(maps.begin(), maps.end(), "channel with vcpu_svc"), 1);
  EXPECT_EQ(std::count(maps.begin(), maps.end(), "wake of ioapic_svc"), 1);
}

TEST_F(AttachmentTest, TakesMoreDescriptorsThanOneMessageCarries) {
  constexpr int kMore = 600;
  UniqueFd segment = ring::CreateSegment("many", 4096).value();
  for (int i = 0; i < kMore; ++i) {
    auto& added = *manifest_.add_segments();
    added.set_kind(HV_SEGMENT_VCPU_PAGE);
    added.set_fd(static_cast<uint32_t>(fds_.size()));
    added.set_bytes(4096);
    fds_.push_back(segment.get());
  }
  std::thread supervisor(
      [&] { EXPECT_TRUE(SendManifest(supervisor_.get(), manifest_, fds_).ok()); });
  const auto attachment = Attachment::Receive(service_.get());
  supervisor.join();
  ASSERT_TRUE(attachment.ok()) << attachment.status();
  EXPECT_EQ(attachment->segments().size(), machine_.SegmentNames().size() + kMore);
}

TEST_F(AttachmentTest, RefusesAnotherAbiMajorNamingBoth) {
  manifest_.set_abi_major(9);
  ExpectRefused(absl::StatusCode::kFailedPrecondition, "major 9");
  ExpectRefused(absl::StatusCode::kFailedPrecondition, absl::StrCat("major ", HV_ABI_MAJOR));
}

TEST_F(AttachmentTest, RefusesADescriptorThatDidNotCome) {
  manifest_.mutable_segments(0)->set_fd(99);
  ASSERT_TRUE(SendManifest(supervisor_.get(), manifest_, fds_).ok());
  ASSERT_TRUE(SendWithDescriptors(supervisor_.get(), "+", {}).ok());  // no more will come
  const auto status = Attachment::Receive(service_.get()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_NE(std::string(status.message()).find("descriptor 99"), std::string::npos) << status;
}

TEST_F(AttachmentTest, TheUserfaultfdOfGuestRamIsHandedOverOnce) {
  EXPECT_FALSE(Receive().value().TakeUserfault().valid()) << "none was named";
  manifest_.mutable_userfault()->set_fd(static_cast<uint32_t>(fds_.size()));
  fds_.push_back(2);
  auto attachment = Receive();
  ASSERT_TRUE(attachment.ok()) << attachment.status();
  EXPECT_EQ(attachment->DescribeMaps().back(), "userfaultfd of hv_kernel's guest ram");
  EXPECT_TRUE(attachment->TakeUserfault().valid());
  EXPECT_FALSE(attachment->TakeUserfault().valid());
}

TEST_F(AttachmentTest, RefusesAUserfaultfdThatIsTheControlSocket) {
  manifest_.mutable_userfault()->set_fd(manifest_.control_fd());
  ExpectRefused(absl::StatusCode::kInvalidArgument, "userfaultfd is descriptor");
}

TEST_F(AttachmentTest, RefusesASegmentSmallerThanPromised) {
  manifest_.mutable_segments(0)->set_bytes(1 << 30);
  ExpectRefused(absl::StatusCode::kInvalidArgument, "1073741824");
}

TEST_F(AttachmentTest, RefusesASegmentThatCouldShrinkUnderItsMapping) {
  const UniqueFd loose(memfd_create("loose", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(loose.get(), 1 << 20), 0);
  fds_[manifest_.segments(0).fd()] = loose.get();
  ExpectRefused(absl::StatusCode::kInvalidArgument, "not sealed");
}

TEST_F(AttachmentTest, RefusesAClockWithoutFrequency) {
  manifest_.set_tsc_hz(0);
  ExpectRefused(absl::StatusCode::kInvalidArgument, "tsc_hz");
}

TEST_F(AttachmentTest, RefusesBytesThatAreNoManifest) {
  ASSERT_TRUE(SendWithDescriptors(supervisor_.get(), "\xff\xff\xff", {}).ok());
  EXPECT_EQ(Attachment::Receive(service_.get()).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(AttachmentTest, ASupervisorThatIsGoneIsUnavailable) {
  supervisor_.Reset();
  EXPECT_EQ(Attachment::Receive(service_.get()).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(AttachmentTest, DescriptorsOfARefusedManifestAreClosed) {
  manifest_.set_tsc_hz(0);
  const int before = dup(2);
  close(before);
  EXPECT_FALSE(Receive().ok());
  const int after = dup(2);
  close(after);
  EXPECT_EQ(before, after) << "the lowest free descriptor";
}

// What a whole process says when it cannot attach: one line, and exit status 1.
class RefusedProcessTest : public testing::Test {
 protected:
  RefusedProcessTest() { manifest_ = machine_.Manifest(1, control_.get(), fds_); }
  void ExpectRefused(const std::string& because) {
    process_.Send(manifest_, fds_);
    const auto end = process_.AwaitEnd();
    EXPECT_TRUE(WIFEXITED(end.status) && WEXITSTATUS(end.status) == 1) << end.status;
    EXPECT_NE(end.error.find(because), std::string::npos) << end.error;
    EXPECT_EQ(std::count(end.error.begin(), end.error.end(), '\n'), 1) << end.error;
  }
  TestMachine machine_;
  TestProcess process_;
  UniqueFd control_{dup(2)};
  std::vector<int> fds_;
  hv::v1::Manifest manifest_;
};

TEST_F(RefusedProcessTest, AMissingWakeSegment) {
  for (auto& segment : *manifest_.mutable_segments()) {
    if (segment.kind() == HV_SEGMENT_WAKE && segment.endpoint() == TestMachine::kIoapic) {
      segment.set_kind(HV_SEGMENT_VCPU_PAGE);
    }
  }
  ExpectRefused("no wake segment of ioapic_svc");
}

TEST_F(RefusedProcessTest, AChannelOfOthers) {
  for (auto& segment : *manifest_.mutable_segments()) {
    if (segment.peer() == TestMachine::kIoapic) segment.set_peer(TestMachine::kVcpu);
  }
  ExpectRefused("channel: joins");
}

TEST_F(RefusedProcessTest, AChannelThatMayOnlyBeRead) {
  for (auto& segment : *manifest_.mutable_segments()) {
    if (segment.kind() == HV_SEGMENT_CHANNEL) segment.set_writable(false);
  }
  ExpectRefused("read only");
}

TEST_F(RefusedProcessTest, AChannelTooSmallForOneStep) {
  const uint64_t bytes = HV_CHANNEL_BYTES(HV_RING_MIN_CELLS);
  const UniqueFd small = ring::CreateSegment("small", bytes).value();
  auto mapping = ring::Mapping::Map(small.get(), bytes, true).value();
  ring::FormatChannel(mapping.bytes(), TestMachine::kSelf, TestMachine::kIoapic, 1,
                      HV_RING_MIN_CELLS);
  for (auto& segment : *manifest_.mutable_segments()) {
    if (segment.peer() != TestMachine::kIoapic) continue;
    fds_[segment.fd()] = small.get();
    segment.set_bytes(bytes);
  }
  ExpectRefused("16 cells each way cannot hold the 64 messages of one step");
}

TEST_F(RefusedProcessTest, AStateSegmentOfAnotherMajor) {
  machine_.state().header.major = 77;
  ExpectRefused("made for ABI major 77, this process speaks major");
}

TEST_F(RefusedProcessTest, ACommittedOutboxThatCannotBe) {
  machine_.state().commit = 2;
  machine_.state().state_layout = 1;
  machine_.state().state_bytes = 24;  // SumState
  auto* copy = reinterpret_cast<hv_state_copy*>(reinterpret_cast<std::byte*>(&machine_.state()) +
                                                HV_STATE_COPIES_OFFSET);
  copy->outbox_count = 1;
  copy->outbox[0].channel = 1000;
  ExpectRefused("outbox cell 0 is for channel 1000 of 3");
}

}  // namespace
}  // namespace hv::service
