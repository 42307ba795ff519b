// Parts that die: services are replaced while the guest runs, hv_kernel takes its machine with it.
#include "abi/state.h"
#include "hvd/supervision/respawn_policy.h"
#include "hvd/testing/machine_fixture.h"
#include "ring/shared_store.h"

namespace hv::hvd {
namespace {

using MachineSupervisionTest = MachineFixture;

TEST_F(MachineSupervisionTest, ADeadServiceIsReplacedUnderTheNextEpochWithoutTheGuestStopping) {
  const auto machine = CreateAndStart();
  const auto first = launcher_.Await("timer_svc");
  first->Die(kSegv);
  EXPECT_EQ(AwaitEvent(hv::v1::EVENT_KIND_SERVICE_DIED).message(),
            "killed by signal 11 (Segmentation fault)");
  EXPECT_EQ(AwaitEvent(hv::v1::EVENT_KIND_SERVICE_REPLACED).service(), "timer_svc");
  const auto second = launcher_.Await("timer_svc", first->pid());
  EXPECT_EQ(second->AwaitAttached()->manifest().epoch(), 2u);
  EXPECT_EQ(second->AwaitAttached()->FindAs<hv_state_header>(HV_SEGMENT_STATE)->epoch, 2u);
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(launcher_.alive(), kParts);
}

TEST_F(MachineSupervisionTest, TheSuccessorFindsWhatThePredecessorLeft) {
  CreateAndStart();
  const auto first = launcher_.Await("ioapic_svc");
  auto* header = first->AwaitAttached()->FindAs<hv_state_header>(HV_SEGMENT_STATE);
  ring::DirectStores stores;
  ring::StoreRelease(header->commit, uint64_t{77}, stores);
  first->Die(kSegv);
  const auto second = launcher_.Await("ioapic_svc", first->pid());
  EXPECT_EQ(second->AwaitAttached()->FindAs<hv_state_header>(HV_SEGMENT_STATE)->commit, 77u);
}

TEST_F(MachineSupervisionTest, AServiceThatNeverDoesAnythingEndsDegradedAndIsShownSo) {
  const auto machine = CreateAndStart();
  {
    const auto first = launcher_.Await("power_svc");
    launcher_.die_attached.insert("power_svc");
    first->Die(kSegv);
  }
  const auto event = AwaitEvent(hv::v1::EVENT_KIND_DEGRADED);
  EXPECT_EQ(event.service(), "power_svc");
  EXPECT_EQ(launcher_.alive(), kParts - 1);
  ASSERT_EQ(machine->Show().degraded_size(), 1);
  EXPECT_NE(machine->Show().degraded(0).find("power_svc"), std::string::npos);
  const auto services = machine->Services().value();
  const auto& power = services[services.size() - 2];
  EXPECT_EQ(power.state(), "degraded");
  EXPECT_EQ(power.pid(), 0);
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_RUNNING) << "the operator decides";
}

TEST_F(MachineSupervisionTest, AServiceIsReplacedOnRequestByAProcessStartedSince) {
  const auto machine = CreateAndStart();
  const auto first = launcher_.Await("timer_svc");
  const int launched = launcher_.launched();
  ASSERT_EQ(machine->ReplaceService("timer_svc"), absl::OkStatus());
  EXPECT_EQ(AwaitEvent(hv::v1::EVENT_KIND_SERVICE_DIED).message(),
            "replaced on request, killed by signal 9 (Killed)");
  const auto second = launcher_.Find("timer_svc");
  ASSERT_NE(second, nullptr);
  EXPECT_GT(second->pid(), first->pid());
  EXPECT_EQ(second->AwaitAttached()->manifest().epoch(), 2u);
  EXPECT_GT(launcher_.launched(), launched);
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_RUNNING);
}

TEST_F(MachineSupervisionTest, ADegradedServiceIsTriedAnewOnRequest) {
  const auto machine = CreateAndStart();
  {
    const auto first = launcher_.Await("power_svc");
    launcher_.die_attached.insert("power_svc");
    first->Die(kSegv);
  }
  AwaitEvent(hv::v1::EVENT_KIND_DEGRADED);
  const absl::Status still_broken = machine->ReplaceService("power_svc");
  EXPECT_EQ(still_broken.code(), absl::StatusCode::kUnavailable) << still_broken;
  AwaitEvent(hv::v1::EVENT_KIND_DEGRADED);
  launcher_.die_attached.clear();
  EXPECT_EQ(machine->ReplaceService("power_svc"), absl::OkStatus());
  EXPECT_EQ(machine->Show().degraded_size(), 0);
  EXPECT_EQ(launcher_.alive(), kParts);
}

TEST_F(MachineSupervisionTest, WhatCannotBeReplacedOnRequestIsNamed) {
  const auto machine = CreateAndStart();
  const absl::Status status = machine->ReplaceService("hv_kernel");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(),
            "service 'hv_kernel': the machine has vcpu_svc, mmu_svc, ioapic_svc, timer_svc, "
            "serial_svc, power_svc");
}

TEST_F(MachineSupervisionTest, AServiceThatWorksIsReplacedHoweverOftenItDies) {
  CreateAndStart();
  int pid = 0;
  for (uint32_t kill = 1; kill <= 2 * RespawnPolicy::kTries; ++kill) {
    const auto part = launcher_.Await("mmu_svc", pid);
    pid = part->pid();
    auto* header = part->AwaitAttached()->FindAs<hv_state_header>(HV_SEGMENT_STATE);
    ring::DirectStores stores;
    ring::StoreRelease(header->commit, uint64_t{kill}, stores);
    part->Die(kSegv);
    AwaitEvent(hv::v1::EVENT_KIND_SERVICE_REPLACED);
  }
}

TEST_F(MachineSupervisionTest, DeathOfTheKernelEndsThisMachineAlone) {
  const auto machine = CreateAndStart();
  const auto victim = launcher_.Find("hv_kernel");
  config_.set_name("other");
  const auto other = CreateAndStart();
  victim->Die({.by_signal = true, .code = SIGKILL});
  const auto exit = AwaitStopped();
  EXPECT_EQ(exit.cause(), hv::v1::EXIT_CAUSE_KERNEL_DIED);
  EXPECT_EQ(exit.message(), "hv_kernel died: hv_kernel killed by signal 9 (Killed)");
  EXPECT_EQ(StateOf(*machine), hv::v1::MACHINE_STATE_STOPPED);
  EXPECT_EQ(StateOf(*other), hv::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(launcher_.alive(), kParts);
}

}  // namespace
}  // namespace hv::hvd
