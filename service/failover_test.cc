// A real service process, killed while it works, again and again; its peers see every answer once.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <atomic>
#include <optional>
#include <random>
#include <thread>

#include "abi/message.h"
#include "service/testing/test_machine.h"
#include "service/testing/test_process.h"

namespace hv::service {
namespace {

constexpr uint32_t kMessages = 30000;
constexpr int kKills = 25;

class FailoverTest : public testing::Test {
 protected:
  // Kills the process and lets a successor attach.
  void Replace() {
    process_.reset();
    process_.emplace();
    control_ = process_->Attach(machine_, ++epoch_);
  }
  TestMachine machine_;
  std::optional<TestProcess> process_;
  UniqueFd control_;
  uint32_t epoch_ = 0;
};

TEST_F(FailoverTest, KilledAtAnyTimeEveryMessageIsAnsweredOnceAndInOrder) {
  Replace();
  std::atomic<uint32_t> received{0};
  std::thread killer([&] {
    std::mt19937 random(1);
    for (int i = 1; i <= kKills; ++i) {
      // At some point of the conversation, not of time.
      const uint32_t at = kMessages / (kKills + 1) * static_cast<uint32_t>(i) + random() % 64;
      while (received < at) std::this_thread::yield();
      Replace();
    }
  });
  uint32_t sent = 0;
  uint64_t sum = 0;
  bool good = true;
  while (good && received < kMessages) {
    // A window of 16 messages: some are always under way when the process dies.
    while (sent < kMessages && sent < received + 16) {
      const hv_deadline number{.time_ns = uint64_t{sent} * sent};
      machine_.vcpu().Send(HV_KIND_DEADLINE_SET, sent++, &number, sizeof(number));
    }
    while (machine_.ioapic().TryReceive()) {
    }
    const auto answer = machine_.vcpu().Receive();
    good = answer.has_value();
    if (!good) break;
    sum += uint64_t{received} * received;
    hv_deadline total;
    std::memcpy(&total, answer->payload, sizeof(total));
    good = answer->tag == received && total.time_ns == sum;
    ++received;
  }
  EXPECT_TRUE(good) << "at message " << received;
  if (!good) received = kMessages;  // lets the killer end
  killer.join();
  EXPECT_FALSE(machine_.vcpu().TryReceive()) << "an answer too many";
  EXPECT_EQ(epoch_, uint32_t{kKills} + 1);
}

TEST_F(FailoverTest, AProcessOfAnEarlierEpochIsRefused) {
  Replace();
  std::vector<int> fds;
  TestProcess late;
  late.Send(machine_.Manifest(0, 2, fds), fds);
  const auto end = late.AwaitEnd();
  EXPECT_EQ(WEXITSTATUS(end.status), 1);
  EXPECT_NE(end.error.find("another has taken over"), std::string::npos) << end.error;
}

}  // namespace
}  // namespace hv::service
