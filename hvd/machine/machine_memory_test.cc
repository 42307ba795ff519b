// Machine memory over fake parts: what is asked of mmu_svc and hv_kernel, in which order, and what
// comes of it when mmu_svc dies in the middle.
#include "hvd/machine/machine_memory.h"

#include <gtest/gtest.h>

#include "hvd/testing/fake_host.h"

namespace hv::hvd {
namespace {

using Calls = std::vector<std::string>;

class MachineMemoryTest : public FakeHost {
 protected:
  MachineMemoryTest() : machine_(registry_.Create(config_).value()) {}

  absl::Status LogDirty() {
    return machine_->WithMemory(
        [](MachineMemory& memory) { return memory.SetDirtyLogging(0, 0, true).status(); });
  }
  absl::StatusOr<hv::v1::TakeDirtyLogResponse> Take(uint64_t address) {
    absl::StatusOr<hv::v1::TakeDirtyLogResponse> taken;
    const auto status = machine_->WithMemory([&](MachineMemory& memory) {
      taken = memory.TakeDirtyLog(address);
      return taken.status();
    });
    if (!status.ok()) return status;
    return taken;
  }
  void AddDirty(uint64_t address, const std::string& bitmap, uint64_t next_address) {
    auto& range = launcher_.mmu.dirty.emplace_back();
    range.set_address(address);
    range.set_bitmap(bitmap);
    range.set_next_address(next_address);
  }
  Calls KernelCalls() { return launcher_.Find("hv_kernel")->calls(); }

  std::shared_ptr<Machine> machine_;
};

TEST_F(MachineMemoryTest, AChangeIsMadeInMmuSvcAndThenTakenOverByTheKernel) {
  ASSERT_TRUE(LogDirty().ok());
  EXPECT_EQ(launcher_.mmu.calls(), Calls{"set dirty logging"});
  EXPECT_EQ(KernelCalls(), Calls{"reload map"});
}

TEST_F(MachineMemoryTest, ARefusedChangeIsNotTakenOver) {
  launcher_.mmu.refusal = {grpc::StatusCode::INVALID_ARGUMENT, "range: it is empty"};
  const absl::Status status = LogDirty();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(status.message(), "range: it is empty");
  EXPECT_EQ(KernelCalls(), Calls{});
}

TEST_F(MachineMemoryTest, AChangeInWhichMmuSvcDiesIsMadeAgainWithItsSuccessor) {
  launcher_.mmu.die_in = {"set dirty logging"};
  const auto status = LogDirty();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(launcher_.mmu.calls().back(), "set dirty logging");
  EXPECT_GE(launcher_.mmu.calls().size(), 2u);
  EXPECT_EQ(KernelCalls(), Calls{"reload map"});
}

TEST_F(MachineMemoryTest, TheLogIsReadClearedAndThenANewRoundBegins) {
  AddDirty(0, "\x05", 0x100000000);
  AddDirty(0x100000000, "\xff\x01", 0);
  const auto taken = Take(0);
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_EQ(taken->dirty_pages(), 11u);
  EXPECT_EQ(taken->next_address(), 0u);
  ASSERT_EQ(taken->ranges_size(), 2);
  EXPECT_EQ(taken->ranges(1).address(), 0x100000000u);
  ASSERT_EQ(launcher_.mmu.cleared.size(), 2u);
  EXPECT_EQ(launcher_.mmu.cleared[0].bitmap(), "\x05");
  EXPECT_EQ(KernelCalls(), Calls{"reload map"});
}

TEST_F(MachineMemoryTest, ADeathWhileClearingCostsNoPageAndClearsNothingTwice) {
  AddDirty(0, "\x05", 0);
  launcher_.mmu.die_in = {"clear dirty log"};
  const auto taken = Take(0);
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_EQ(taken->dirty_pages(), 2u);
  EXPECT_EQ(launcher_.mmu.cleared.size(), 1u);
}

TEST_F(MachineMemoryTest, AnAnswerHasAtMostSixteenRangesAndSaysWhereToGoOn) {
  for (uint64_t i = 0; i < 20; ++i) AddDirty(i << 31, "\x01", i < 19 ? (i + 1) << 31 : 0);
  const auto first = Take(0);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->ranges_size(), 16);
  EXPECT_EQ(first->next_address(), uint64_t{16} << 31);
  const auto rest = Take(first->next_address());
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(rest->ranges_size(), 4);
  EXPECT_EQ(rest->next_address(), 0u);
}

TEST_F(MachineMemoryTest, WhereTheHostPagesNoWritesAreWatched) {
  for (const bool on : {true, false}) {
    const auto status = machine_->WithMemory(
        [&](MachineMemory& memory) { return memory.SetWriteWatch(0, 0, on).status(); });
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  }
  const auto status = machine_->WithMemory(
      [](MachineMemory& memory) { return memory.TakeWrittenPages(0).status(); });
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(launcher_.mmu.calls(), Calls{});
}

TEST_F(MachineMemoryTest, ARunningGuestIsPausedForATranslation) {
  ASSERT_TRUE(machine_->Start().ok());
  const auto found = machine_->Translate(0, 0xffff888000000000);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->physical(), 0x5000u);
  EXPECT_EQ(launcher_.mmu.translated.linear(), 0xffff888000000000u);
  EXPECT_EQ(launcher_.mmu.translated.cr3(), 0x2000u);
  EXPECT_EQ(KernelCalls(), (Calls{"start", "pause", "registers", "resume"}));
}

TEST_F(MachineMemoryTest, APausedGuestStaysPaused) {
  ASSERT_TRUE(machine_->Start().ok());
  ASSERT_TRUE(machine_->Pause().ok());
  ASSERT_TRUE(machine_->Translate(0, 0).ok());
  EXPECT_EQ(KernelCalls().back(), "registers");
}

TEST_F(MachineMemoryTest, HostMemoryIsCountedOnceItIsTouched) {
  uint64_t allocated = 1;
  const auto show = [&](MachineMemory& memory) {
    const auto shown = memory.Show();
    if (shown.ok()) allocated = shown->allocated_bytes();
    return shown.status();
  };
  ASSERT_TRUE(machine_->WithMemory(show).ok());
  EXPECT_EQ(allocated, 0u);
  const auto* attachment = launcher_.Find("hv_kernel")->AwaitAttached();
  const auto ram = attachment->Find(HV_SEGMENT_GUEST_RAM);
  ram[0] = std::byte{1};
  ram[5 * 4096] = std::byte{1};
  ASSERT_TRUE(machine_->WithMemory(show).ok());
  EXPECT_EQ(allocated, 2 * 4096u);
}

TEST_F(MachineMemoryTest, AStoppedMachineHasNoMemory) {
  ASSERT_TRUE(machine_->Stop(std::chrono::seconds(0)).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(LogDirty()));
  EXPECT_TRUE(absl::IsFailedPrecondition(machine_->Translate(0, 0).status()));
}

}  // namespace
}  // namespace hv::hvd
