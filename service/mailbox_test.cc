#include "service/mailbox.h"

#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace hv::service {
namespace {

TEST(MailboxTest, RunWaitsUntilTheLoopHasDoneTheJob) {
  hv_wake wake{};
  Mailbox mailbox{ring::Waker(&wake)};
  std::atomic<bool> returned{false};
  bool ran = false;
  std::thread client([&] {
    mailbox.Run([&] { ran = true; });
    returned = true;
  });
  while (!mailbox.waiting()) std::this_thread::yield();
  EXPECT_FALSE(ran) << "jobs run on the loop's thread alone";
  EXPECT_FALSE(returned);
  mailbox.Serve();
  client.join();
  EXPECT_TRUE(ran);
  EXPECT_FALSE(mailbox.waiting());
}

TEST(MailboxTest, RunWakesTheLoopEvenIfItHasNotDeclaredItselfAsleep) {
  hv_wake wake{};
  Mailbox mailbox{ring::Waker(&wake)};
  std::thread client([&] { mailbox.Run([] {}); });
  while (ring::LoadAcquire(wake.word) == 0) std::this_thread::yield();
  mailbox.Serve();
  client.join();
}

TEST(MailboxTest, JobsOfSeveralThreadsAllRunAndNeverAtTheSameTime) {
  constexpr int kThreads = 4;
  constexpr int kJobs = 500;
  hv_wake wake{};
  Mailbox mailbox{ring::Waker(&wake)};
  int sum = 0;  // touched by jobs alone, so the loop's thread alone
  std::atomic<int> finished{0};
  std::vector<std::thread> clients;
  clients.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    clients.emplace_back([&] {
      for (int job = 0; job < kJobs; ++job) mailbox.Run([&] { ++sum; });
      ++finished;
    });
  }
  while (finished != kThreads) {
    if (mailbox.waiting()) {
      mailbox.Serve();
    } else {
      std::this_thread::yield();
    }
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(sum, kThreads * kJobs);
}

}  // namespace
}  // namespace hv::service
