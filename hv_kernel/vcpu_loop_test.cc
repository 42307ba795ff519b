#include "hv_kernel/vcpu_loop.h"

#include <functional>
#include <future>
#include <memory>
#include <thread>

#include "abi/message.h"
#include "gtest/gtest.h"
#include "hv_kernel/fake_line.h"
#include "hv_kernel/fake_vcpu.h"

namespace hv {
namespace {

constexpr uint32_t kSerial = HV_ENDPOINT(HV_ROLE_SERIAL, 0);
constexpr uint32_t kPower = HV_ENDPOINT(HV_ROLE_POWER, 0);
constexpr uint32_t kIndex = 3;

// Sleep during which the test does something.
class FakeHaltWait : public HaltWait {
 public:
  void WaitForAttention(const std::atomic<uint32_t>&) override {
    ++sleeps;
    during_sleep();
  }
  std::function<void()> during_sleep = [] {};
  int sleeps = 0;
};

class VcpuLoopTest : public testing::Test {
 protected:
  VcpuLoopTest() {
    auto table = std::make_unique<hv_route_table>();
    table->header = {HV_SEGMENT_MAGIC, HV_SEGMENT_ROUTE_TABLE, HV_ABI_MAJOR, HV_ABI_MINOR};
    table->generation = 2;
    table->routes[0] = {0x3f8, 0x3ff, kSerial, HV_SPACE_PORT, 0, 0};
    table->routes[1] = {0xcf9, 0xcf9, kPower, HV_SPACE_PORT, 0, 0};
    table->route_count = 2;
    EXPECT_TRUE(router_.Load(*table).ok());
    serial_ = Add(kSerial);
    power_ = Add(kPower);
    control_.Resume();
    vcpu_.past_script = [this] {
      control_.Stop({.cause = StopCause::kRequested});
      return Exit{ExitReason::kAttention};
    };
  }
  ~VcpuLoopTest() override {
    EXPECT_FALSE(vcpu_.holding) << "the thread ends with the guest's registers";
    EXPECT_FALSE(vcpu_.misused);
  }
  FakeLine* Add(uint32_t endpoint) {
    auto line = std::make_unique<FakeLine>();
    FakeLine* raw = line.get();
    lines_.Add(endpoint, std::move(line));
    return raw;
  }
  void Publish(uint64_t word) {
    page_.pending = uint64_t{++generation_} << HV_PENDING_GENERATION_SHIFT | word;
    std::atomic_ref<uint32_t>(page_.attention).store(1);
  }
  StopReport Report() {
    return *control_.WaitUntilStopped([] { return false; });
  }

  Router router_;
  LineMap lines_;
  FakeLine *serial_, *power_;
  FakeLine reports_;
  hv_vcpu_page page_{};
  FakeVcpu vcpu_;
  FakeHaltWait halt_wait_;
  Statistics statistics_;
  RunControl control_{1, [this] { std::atomic_ref<uint32_t>(page_.attention).store(1); }};
  uint32_t generation_ = 0;
  VcpuLoop loop_{VcpuLoop::Parts{.index = kIndex,
                                 .engine = vcpu_,
                                 .page = page_,
                                 .router = router_,
                                 .lines = lines_,
                                 .vcpu_service = reports_,
                                 .control = control_,
                                 .halt_wait = halt_wait_,
                                 .statistics = statistics_}};
};

TEST_F(VcpuLoopTest, ServesExitsAndCountsThemUntilStopped) {
  serial_->Answer(hv_access_done{.data = 0x60});
  vcpu_.script = {{ExitReason::kPortRead, 1, 0x3fd, 0}, {ExitReason::kPortWrite, 1, 0x3f9, 7}};
  loop_.Run();
  EXPECT_EQ(vcpu_.read, 0x60u);
  EXPECT_EQ(serial_->access(1).data, 7u);
  EXPECT_EQ(statistics_.exits[static_cast<size_t>(ExitReason::kPortRead)].value(), 1u);
  EXPECT_EQ(Report().cause, StopCause::kRequested);
}

TEST_F(VcpuLoopTest, WhatIsPublishedIsTakenBeforeTheGuestRunsOn) {
  Publish(HV_PENDING_INTERRUPT | 0x31);
  vcpu_.past_script = [this] {
    EXPECT_EQ(vcpu_.interrupts, std::vector<uint8_t>{0x31});
    control_.Stop({});
    return Exit{ExitReason::kAttention};
  };
  loop_.Run();
  EXPECT_EQ(vcpu_.runs, 1);
}

TEST_F(VcpuLoopTest, AccessesAndInterruptsLeaveTheGuestsRegistersHeld) {
  serial_->before_answer = [this] {
    EXPECT_TRUE(vcpu_.holding);
    Publish(HV_PENDING_INTERRUPT | 0x31);
  };
  vcpu_.script = {{ExitReason::kPortRead, 1, 0x3fd, 0}};
  vcpu_.before_run = [this] { EXPECT_EQ(vcpu_.holding, vcpu_.runs > 0); };
  loop_.Run();
  EXPECT_EQ(vcpu_.interrupts.size(), 1u);
  EXPECT_EQ(vcpu_.runs, 2);
}

TEST_F(VcpuLoopTest, TheRegistersAreReleasedWhileTheThreadSleeps) {
  vcpu_.script = {{ExitReason::kHalt}};
  halt_wait_.during_sleep = [this] {
    EXPECT_FALSE(vcpu_.holding);
    Publish(HV_PENDING_INTERRUPT | 0x31);
  };
  loop_.Run();
  EXPECT_EQ(halt_wait_.sleeps, 1);
}

TEST_F(VcpuLoopTest, TheRegistersAreReleasedForInit) {
  serial_->before_answer = [this] { Publish(HV_PENDING_INIT); };
  vcpu_.script = {{ExitReason::kPortRead, 1, 0x3fd, 0}};
  halt_wait_.during_sleep = [this] { control_.Stop({}); };  // it waits for SIPI
  loop_.Run();
  EXPECT_EQ(halt_wait_.sleeps, 1);
  EXPECT_FALSE(vcpu_.misused);
}

TEST_F(VcpuLoopTest, AttentionIsTakenByLooking) {
  Publish(0);
  vcpu_.past_script = [this] {
    EXPECT_EQ(page_.attention, 0u);
    control_.Stop({});
    return Exit{ExitReason::kAttention};
  };
  loop_.Run();
}

TEST_F(VcpuLoopTest, AHaltSleepsUntilAnInterruptCanBeTaken) {
  vcpu_.script = {{ExitReason::kHalt}};
  halt_wait_.during_sleep = [this] {
    EXPECT_EQ(vcpu_.runs, 1) << "the guest does not run while halted";
    if (halt_wait_.sleeps == 3) Publish(HV_PENDING_INTERRUPT | 0x31);  // others wake for nothing
  };
  loop_.Run();
  EXPECT_EQ(halt_wait_.sleeps, 3);
  EXPECT_EQ(vcpu_.interrupts, std::vector<uint8_t>{0x31});
  EXPECT_EQ(vcpu_.runs, 2);
  EXPECT_EQ(statistics_.halts_slept.value(), 3u);
}

// STI; HLT with an interrupt waiting: the window is open when HLT has retired.
TEST_F(VcpuLoopTest, AHaltThatLetsAWaitingInterruptInDoesNotSleep) {
  vcpu_.takes_interrupts = false;
  Publish(HV_PENDING_INTERRUPT | 0x31);
  vcpu_.past_script = [this] {
    vcpu_.takes_interrupts = true;
    if (vcpu_.runs == 2) control_.Stop({});
    return Exit{ExitReason::kHalt};
  };
  loop_.Run();
  EXPECT_EQ(halt_wait_.sleeps, 0);
  EXPECT_EQ(vcpu_.interrupts.size(), 1u);
}

TEST_F(VcpuLoopTest, AHaltedMachineCanBeStopped) {
  vcpu_.script = {{ExitReason::kHalt}};
  halt_wait_.during_sleep = [this] { control_.Stop({.cause = StopCause::kRequested}); };
  loop_.Run();
  EXPECT_EQ(vcpu_.runs, 1);
  EXPECT_EQ(Report().cause, StopCause::kRequested);
}

TEST_F(VcpuLoopTest, AnInterruptWindowIsLookedThrough) {
  vcpu_.takes_interrupts = false;
  Publish(HV_PENDING_INTERRUPT | 0x31);
  vcpu_.past_script = [this] {
    if (vcpu_.runs == 1) {
      EXPECT_TRUE(vcpu_.interrupt_window);
      vcpu_.takes_interrupts = true;
      return Exit{ExitReason::kInterruptWindow};
    }
    control_.Stop({});
    return Exit{ExitReason::kAttention};
  };
  loop_.Run();
  EXPECT_EQ(vcpu_.interrupts, std::vector<uint8_t>{0x31});
  EXPECT_FALSE(vcpu_.interrupt_window);
}

TEST_F(VcpuLoopTest, ATripleFaultIsReportedWithStateAndWhatLedThere) {
  vcpu_.state.rip = 0x7c00;
  vcpu_.script = {{ExitReason::kPortRead, 1, 0x3fd, 0}, {ExitReason::kShutdown}};
  loop_.Run();
  const StopReport report = Report();
  EXPECT_EQ(report.cause, StopCause::kShutdown);
  EXPECT_EQ(report.vcpu, kIndex);
  EXPECT_EQ(report.detail, vcpu_.Describe());
  EXPECT_EQ(report.bytes_at_rip, vcpu_.BytesAtRip());
  ASSERT_TRUE(report.state.has_value());
  EXPECT_EQ(report.state->rip, 0x7c00u);
  ASSERT_EQ(report.last_exits.size(), 2u);
  EXPECT_EQ(report.last_exits[0].address, 0x3fdu);
  EXPECT_EQ(report.last_exits[1].reason, ExitReason::kShutdown);
}

TEST_F(VcpuLoopTest, WhatTheEngineCannotRunIsReportedAsSuch) {
  vcpu_.script = {{ExitReason::kUnsupported}};
  loop_.Run();
  EXPECT_EQ(Report().cause, StopCause::kUnsupported);
  EXPECT_EQ(vcpu_.runs, 1);
}

TEST_F(VcpuLoopTest, AMachineEventStopsTheMachineAndNamesTheVcpu) {
  power_->Answer(hv_access_done{.event = HV_MACHINE_EVENT_RESET});
  vcpu_.script = {{ExitReason::kPortWrite, 1, 0xcf9, 6}};
  loop_.Run();
  const StopReport report = Report();
  EXPECT_EQ(report.cause, StopCause::kReset);
  EXPECT_EQ(report.vcpu, kIndex);
  EXPECT_EQ(vcpu_.runs, 1) << "the guest does not run on";
}

TEST_F(VcpuLoopTest, AMachineThatStopsWhileAServiceIsAskedEndsTheLoop) {
  serial_->before_answer = [this] {
    control_.Stop({.cause = StopCause::kRequested});
    serial_->stopping = true;
  };
  vcpu_.script = {{ExitReason::kPortRead, 1, 0x3fd, 0}};
  loop_.Run();
  EXPECT_FALSE(vcpu_.read.has_value());
  EXPECT_EQ(vcpu_.runs, 1);
  EXPECT_EQ(Report().cause, StopCause::kRequested);
}

TEST_F(VcpuLoopTest, APauseWaitsForTheAnswerThatTheGuestIsOwed) {
  std::promise<void> asked;
  std::atomic<bool> answered{false};
  serial_->Answer(hv_access_done{.data = 0x60});
  serial_->before_answer = [&] {
    asked.set_value();
    while (!control_.paused()) std::this_thread::yield();
    answered = true;
  };
  vcpu_.script = {{ExitReason::kPortRead, 1, 0x3fd, 0}};
  std::thread vcpu_thread([this] { loop_.Run(); });
  asked.get_future().wait();
  control_.Pause();
  EXPECT_TRUE(answered);
  EXPECT_FALSE(vcpu_.holding) << "parked with the registers released";
  EXPECT_EQ(vcpu_.read, 0x60u) << "parked between two instructions, the exit completed";
  EXPECT_EQ(vcpu_.runs, 1);
  control_.Resume();
  vcpu_thread.join();
  EXPECT_EQ(vcpu_.runs, 2);
}

}  // namespace
}  // namespace hv
