// A guest that leaves by itself for nothing is brought out by whoever wants its attention: another
// thread, another process, at whatever moment. A kick that is lost leaves the guest running, and
// the test to its time limit.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <new>
#include <string>
#include <thread>

#include "abi/vcpu_page.h"
#include "hv_kernel/kick_watch.h"
#include "hv_kernel/soft/test_memory.h"
#include "integration_tests/engines/engines.h"
#include "ring/wake.h"

namespace hv {
namespace {

constexpr uint64_t kCode = 0x100000, kCounter = 0x200000;

// One vCPU with a page that another process can map too, in a loop that counts in memory.
class Spinner : public soft::TestMemory {
 public:
  Spinner(std::unique_ptr<Engine> on, const std::string& name)
      : TestMemory(std::move(on)),
        page_(*new (mmap(nullptr, sizeof(hv_vcpu_page), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0)) hv_vcpu_page{}),
        vcpu_(engine()
                  .CreateVcpu(
                      {.attention = reinterpret_cast<std::atomic<uint32_t>*>(&page_.attention),
                       .inside = reinterpret_cast<std::atomic<uint32_t>*>(&page_.inside),
                       .cpuid = engines::CpuidTable()})
                  .value()),
        watch_(page_, *vcpu_) {
    constexpr uint8_t kLoop[] = {0xff, 0x03, 0xeb, 0xfc};  // inc dword [rbx]; jmp to it
    Load(kCode, kLoop);
    hv_vcpu_state state = soft::LongMode();
    engines::FitState(name, state);
    state.rip = kCode;
    state.gpr[HV_RBX] = kCounter;
    EXPECT_TRUE(vcpu_->SetState(state).ok());
  }

  // Runs until somebody asks.
  ExitReason Run() {
    const Exit exit = vcpu_->Run();
    attention().exchange(0, std::memory_order_acquire);
    return exit.reason;
  }
  // As a thread of hv_kernel asks.
  void AskFromThread() {
    attention().store(1, std::memory_order_release);
    vcpu_->Kick();
  }
  // As another process asks.
  void AskFromProcess() {
    attention().store(1, std::memory_order_release);
    ring::Waker(&page_.kicks, &page_.inside).Wake();
  }
  VcpuEngine& vcpu() { return *vcpu_; }
  std::atomic_ref<uint32_t> attention() { return std::atomic_ref<uint32_t>(page_.attention); }
  uint32_t count() const {
    return std::atomic_ref<uint32_t>(
               *reinterpret_cast<uint32_t*>(const_cast<Spinner*>(this)->ram().data() + kCounter))
        .load(std::memory_order_relaxed);
  }

 private:
  hv_vcpu_page& page_;
  std::unique_ptr<VcpuEngine> vcpu_;
  KickWatch watch_;
};

class KickTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto engine = engines::MakeEngine(GetParam());
    if (absl::IsFailedPrecondition(engine.status())) GTEST_SKIP() << engine.status().message();
    ASSERT_TRUE(engine.ok()) << engine.status();
    spinner_ = std::make_unique<Spinner>(*std::move(engine), GetParam());
  }
  void WaitUntilItCounts() {
    while (spinner_->count() == 0) std::this_thread::yield();
  }

  std::unique_ptr<Spinner> spinner_;
};

INSTANTIATE_TEST_SUITE_P(Engines, KickTest, testing::ValuesIn(engines::kEngines),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(KickTest, AThreadBringsASpinningGuestOut) {
  std::thread asker([this] {
    WaitUntilItCounts();
    spinner_->AskFromThread();
  });
  EXPECT_EQ(spinner_->Run(), ExitReason::kAttention);
  asker.join();
}

TEST_P(KickTest, AnotherProcessBringsASpinningGuestOut) {
  // Started first: a fork copies no thread, and the guest's RAM is private to this process.
  int started[2];
  ASSERT_EQ(pipe(started), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    char go;
    if (read(started[0], &go, 1) == 1) spinner_->AskFromProcess();
    _exit(0);
  }
  std::thread trigger([&] {
    WaitUntilItCounts();
    EXPECT_EQ(write(started[1], "g", 1), 1);
  });
  EXPECT_EQ(spinner_->Run(), ExitReason::kAttention);
  trigger.join();
  int status;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
}

// The asker goes on as soon as it was heard, so that it asks at every moment of the way in.
TEST_P(KickTest, NoKickIsLostWhereverItFalls) {
  constexpr uint32_t kRounds = 1000;
  std::atomic<uint32_t> heard = 0;
  std::thread asker([&] {
    for (uint32_t round = 0; round < kRounds; ++round) {
      while (heard.load() != round) std::this_thread::yield();
      for (uint32_t i = 0; i < round % 64 * 16; ++i) __builtin_ia32_pause();
      round % 2 == 0 ? spinner_->AskFromThread() : spinner_->AskFromProcess();
    }
  });
  while (heard.load() != kRounds) {
    const Exit exit = spinner_->vcpu().Run();
    ASSERT_EQ(exit.reason, ExitReason::kAttention);
    // A kick that comes late is a look for nothing.
    if (spinner_->attention().exchange(0, std::memory_order_acquire) != 0) ++heard;
  }
  asker.join();
}

}  // namespace
}  // namespace hv
