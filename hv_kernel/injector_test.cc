#include "hv_kernel/injector.h"

#include "abi/message.h"
#include "gtest/gtest.h"
#include "hv_kernel/fake_line.h"
#include "hv_kernel/fake_vcpu.h"

namespace hv {
namespace {

using Result = Injector::Result;

constexpr uint64_t kCr0Cd = 1u << 30;

class InjectorTest : public testing::Test {
 protected:
  // What vcpu_svc does: the next generation, with the events and the vector of `word`.
  void Publish(uint64_t word) {
    page_.pending = uint64_t{++generation_} << HV_PENDING_GENERATION_SHIFT | word;
  }
  void Acknowledge() { page_.acknowledged = generation_; }
  // The part of `taken` below the generation; checks that it is the generation last published.
  uint64_t Taken() const {
    EXPECT_EQ(page_.taken >> HV_PENDING_GENERATION_SHIFT, generation_);
    return page_.taken & 0xffffffff;
  }

  hv_vcpu_page page_{};
  FakeVcpu vcpu_;
  FakeLine reports_;
  FakeLine pic_;
  Statistics statistics_;
  uint32_t generation_ = 0;
  Injector injector_{page_, vcpu_, reports_, &pic_, statistics_, /*boot_cpu=*/false};
  Injector boot_injector_{page_, vcpu_, reports_, &pic_, statistics_, /*boot_cpu=*/true};
};

TEST_F(InjectorTest, NothingPublishedIsNothingTaken) {
  EXPECT_EQ(injector_.Offer(), Result::kNothing);
  EXPECT_TRUE(reports_.seen.empty());
}

TEST_F(InjectorTest, AnInterruptIsInjectedWrittenDownAndReported) {
  Publish(HV_PENDING_INTERRUPT | 0x31);
  EXPECT_EQ(injector_.Offer(), Result::kTaken);
  EXPECT_EQ(vcpu_.interrupts, std::vector<uint8_t>{0x31});
  EXPECT_EQ(Taken(), HV_PENDING_INTERRUPT | 0x31);
  ASSERT_EQ(reports_.seen.size(), 1u);
  EXPECT_EQ(reports_.seen[0].kind, HV_KIND_INJECTED);
  EXPECT_EQ(statistics_.interrupts.value(), 1u);
}

TEST_F(InjectorTest, AGenerationIsTakenOnce) {
  Publish(HV_PENDING_INTERRUPT | 0x31);
  injector_.Offer();
  Acknowledge();
  EXPECT_EQ(injector_.Offer(), Result::kNothing);
  EXPECT_EQ(vcpu_.interrupts.size(), 1u);
}

TEST_F(InjectorTest, NothingMoreIsTakenBeforeTheLastWasAcknowledged) {
  Publish(HV_PENDING_INTERRUPT | 0x31);
  injector_.Offer();
  const uint32_t first = generation_;
  Publish(HV_PENDING_INTERRUPT | 0x31);  // by who did not know that it was taken
  EXPECT_EQ(injector_.Offer(), Result::kNothing);
  EXPECT_EQ(vcpu_.interrupts.size(), 1u);
  page_.acknowledged = first;
  EXPECT_EQ(injector_.Offer(), Result::kTaken);
  EXPECT_EQ(vcpu_.interrupts.size(), 2u);
}

TEST_F(InjectorTest, AGenerationWithoutEventsWithdrawsWhatWasPending) {
  vcpu_.takes_interrupts = false;
  Publish(HV_PENDING_INTERRUPT | 0x31);
  injector_.Offer();
  Publish(0);
  vcpu_.takes_interrupts = true;
  EXPECT_EQ(injector_.Offer(), Result::kNothing);
  EXPECT_TRUE(vcpu_.interrupts.empty());
  EXPECT_FALSE(vcpu_.interrupt_window);
}

TEST_F(InjectorTest, AnInterruptThatCannotBeTakenAsksForAWindow) {
  vcpu_.takes_interrupts = false;
  Publish(HV_PENDING_INTERRUPT | 0x31);
  EXPECT_EQ(injector_.Offer(), Result::kNothing);
  EXPECT_TRUE(vcpu_.interrupt_window);
  EXPECT_EQ(page_.taken, 0u);
  vcpu_.takes_interrupts = true;
  EXPECT_EQ(injector_.Offer(), Result::kTaken);
  EXPECT_FALSE(vcpu_.interrupt_window);
}

TEST_F(InjectorTest, AnExtintInterruptIsToldAsOne) {
  Publish(HV_PENDING_INTERRUPT | HV_PENDING_EXTINT | 0x08);
  EXPECT_EQ(injector_.Offer(), Result::kTaken);
  EXPECT_EQ(vcpu_.interrupts, std::vector<uint8_t>{0x08});
  EXPECT_EQ(Taken(), HV_PENDING_INTERRUPT | HV_PENDING_EXTINT | 0x08);
  ASSERT_EQ(pic_.seen.size(), 1u);
  EXPECT_EQ(pic_.seen[0].kind, HV_KIND_INTA);
  EXPECT_EQ(pic_.seen[0].payload, service::Outgoing::Of(0, 0, 0, hv_intr{.vector = 8}).payload);
}

TEST_F(InjectorTest, AVectorOfTheApicIsNotAcknowledgedToThe8259) {
  Publish(HV_PENDING_INTERRUPT | 0x31);
  injector_.Offer();
  EXPECT_TRUE(pic_.seen.empty());
}

TEST_F(InjectorTest, AMachineWithoutAn8259TakesItsVectorsAllTheSame) {
  Injector injector(page_, vcpu_, reports_, nullptr, statistics_, /*boot_cpu=*/true);
  Publish(HV_PENDING_INTERRUPT | HV_PENDING_EXTINT | 0x08);
  EXPECT_EQ(injector.Offer(), Result::kTaken);
}

TEST_F(InjectorTest, AnNmiGoesBeforeAnInterrupt) {
  Publish(HV_PENDING_NMI | HV_PENDING_INTERRUPT | 0x31);
  EXPECT_EQ(injector_.Offer(), Result::kTaken);
  EXPECT_EQ(vcpu_.nmis, 1);
  EXPECT_TRUE(vcpu_.interrupts.empty());
  EXPECT_EQ(Taken() & HV_PENDING_EVENTS, HV_PENDING_NMI);
  EXPECT_EQ(statistics_.nmis.value(), 1u);
}

TEST_F(InjectorTest, ABlockedNmiAsksForItsWindowAndLetsAnInterruptBy) {
  vcpu_.takes_nmis = false;
  Publish(HV_PENDING_NMI | HV_PENDING_INTERRUPT | 0x31);
  EXPECT_EQ(injector_.Offer(), Result::kTaken);
  EXPECT_EQ(vcpu_.interrupts, std::vector<uint8_t>{0x31});
  EXPECT_EQ(Taken() & HV_PENDING_EVENTS, HV_PENDING_INTERRUPT);
  EXPECT_TRUE(vcpu_.nmi_window);
}

// Else an engine whose guest could take interrupts would leave it before every instruction.
TEST_F(InjectorTest, AnInterruptThatGivesWayToABlockedNmiTakesItsWindowBack) {
  vcpu_.takes_interrupts = false;
  Publish(HV_PENDING_INTERRUPT | 0x31);
  injector_.Offer();
  vcpu_.takes_nmis = false;
  Publish(HV_PENDING_NMI);
  EXPECT_EQ(injector_.Offer(), Result::kNothing);
  EXPECT_TRUE(vcpu_.nmi_window);
  EXPECT_FALSE(vcpu_.interrupt_window);
}

TEST_F(InjectorTest, InitGoesBeforeEverythingAndWaitsForSipi) {
  vcpu_.takes_nmis = false;
  vcpu_.state.cr0 = kCr0Cd | 1;
  Publish(HV_PENDING_INIT | HV_PENDING_SIPI | HV_PENDING_NMI | HV_PENDING_INTERRUPT | 0x31);
  EXPECT_EQ(injector_.Offer(), Result::kTaken);
  EXPECT_EQ(Taken() & HV_PENDING_EVENTS, HV_PENDING_INIT);
  EXPECT_FALSE(injector_.runnable());
  EXPECT_EQ(injector_.activity(), HV_ACTIVITY_WAIT_FOR_SIPI);
  EXPECT_EQ(vcpu_.state.rip, 0xfff0u);
  EXPECT_EQ(vcpu_.state.cr0 & 1, 0u) << "protection is off";
  EXPECT_NE(vcpu_.state.cr0 & kCr0Cd, 0u) << "INIT keeps CD";
}

TEST_F(InjectorTest, InitRestartsTheBootCpuAtOnce) {
  Publish(HV_PENDING_INIT);
  EXPECT_EQ(boot_injector_.Offer(), Result::kTaken);
  EXPECT_TRUE(boot_injector_.runnable());
  EXPECT_EQ(vcpu_.state.segment[HV_CS].base, 0xffff0000u);
}

TEST_F(InjectorTest, SipiStartsACpuThatWaitsForIt) {
  injector_.SetActivity(HV_ACTIVITY_WAIT_FOR_SIPI);
  Publish(HV_PENDING_SIPI | 0x9a);
  EXPECT_EQ(injector_.Offer(), Result::kTaken);
  EXPECT_TRUE(injector_.runnable());
  EXPECT_EQ(vcpu_.state.segment[HV_CS].selector, 0x9a00);
  EXPECT_EQ(vcpu_.state.segment[HV_CS].base, 0x9a000u);
  EXPECT_EQ(vcpu_.state.rip, 0u);
  EXPECT_EQ(Taken(), HV_PENDING_SIPI | 0x9a);
}

TEST_F(InjectorTest, SipiChangesNothingInACpuThatDoesNotWaitForIt) {
  vcpu_.state.rip = 0x1234;
  Publish(HV_PENDING_SIPI | 0x9a);
  EXPECT_EQ(injector_.Offer(), Result::kTaken) << "taken, or it would be pending for ever";
  EXPECT_EQ(vcpu_.state.rip, 0x1234u);
}

TEST_F(InjectorTest, WhileWaitingForSipiInterruptsAndNmisWait) {
  injector_.SetActivity(HV_ACTIVITY_WAIT_FOR_SIPI);
  Publish(HV_PENDING_NMI | HV_PENDING_INTERRUPT | 0x31);
  EXPECT_EQ(injector_.Offer(), Result::kNothing);
  EXPECT_EQ(vcpu_.nmis, 0);
  EXPECT_TRUE(vcpu_.interrupts.empty());
  EXPECT_FALSE(injector_.runnable());
}

TEST_F(InjectorTest, AnInterruptEndsAHalt) {
  injector_.Halt();
  EXPECT_FALSE(injector_.runnable());
  Publish(HV_PENDING_INTERRUPT | 0x31);
  injector_.Offer();
  EXPECT_TRUE(injector_.runnable());
}

TEST_F(InjectorTest, AnInterruptThatIsMaskedDoesNotEndAHaltAndAnNmiDoes) {
  vcpu_.takes_interrupts = false;
  injector_.Halt();
  Publish(HV_PENDING_INTERRUPT | 0x31);
  injector_.Offer();
  EXPECT_FALSE(injector_.runnable());
  Publish(HV_PENDING_NMI | HV_PENDING_INTERRUPT | 0x31);
  injector_.Offer();
  EXPECT_TRUE(injector_.runnable());
}

TEST_F(InjectorTest, AReportThatCannotBeSentSaysThatTheMachineStops) {
  reports_.stopping = true;
  Publish(HV_PENDING_INTERRUPT | 0x31);
  EXPECT_EQ(injector_.Offer(), Result::kStopping);
}

// A word that no honest vcpu_svc publishes: whatever it says, at most one event is taken.
TEST_F(InjectorTest, AnyWordIsTakenAsAtMostOneEvent) {
  uint64_t random = 1;
  for (int i = 0; i < 20000; ++i) {
    random = random * 6364136223846793005 + 1442695040888963407;
    page_.pending = random;
    page_.acknowledged = static_cast<uint32_t>(page_.taken >> HV_PENDING_GENERATION_SHIFT);
    vcpu_.takes_interrupts = (random & 0x100) != 0;
    vcpu_.takes_nmis = (random & 0x200) != 0;
    const size_t reports = reports_.seen.size();
    const bool taken = injector_.Offer() == Result::kTaken;
    ASSERT_EQ(reports_.seen.size() - reports, taken ? 1u : 0u);
    if (!taken) continue;
    const uint64_t events = page_.taken & HV_PENDING_EVENTS;
    ASSERT_EQ(events & (events - 1), 0u) << std::hex << random;
    ASSERT_EQ(events & page_.pending, events) << std::hex << random;
  }
}

}  // namespace
}  // namespace hv
