// The sandbox as an attacker inside it meets it. Each attempt is made in a process of its own that
// has entered the real sandbox, and once outside it, to show that the attempt is one.
#include "service/sandbox.h"

#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "service/testing/sandbox_attempts.h"

namespace hv::service {
namespace {

// Exit status of a child whose sandbox lacks what the test is about.
constexpr int kMechanismMissing = 250;

// Runs `body` in a child and returns its wait status; what `body` returns is the exit status.
int InChild(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

int InSandbox(const std::function<int()>& body) {
  return InChild([&] {
    SandboxReport report;
    EnterNamespaces({}, report);
    CloseSystemCalls(report);
    return body();
  });
}

bool Has(const std::vector<std::string>& list, const std::string& mechanism) {
  return std::find(list.begin(), list.end(), mechanism) != list.end();
}

// A process to be attacked: it waits to be killed, and lets anybody trace it that the host lets.
class Victim {
 public:
  Victim() : pid_(fork()) {
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    for (;;) pause();
  }
  ~Victim() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  const pid_t pid_;
};

class AttemptTest : public testing::TestWithParam<Attempt> {
 protected:
  Victim victim_;
};

TEST_P(AttemptTest, IsRefusedInsideByTheFilter) {
  const int status = InSandbox([&] { return GetParam().run(victim_.pid()); });
  ASSERT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  ASSERT_NE(WEXITSTATUS(status), 0) << "it worked";
  EXPECT_EQ(WEXITSTATUS(status), GetParam().refusal) << "not refused by the filter";
}

TEST_P(AttemptTest, WorksOutsideWhereAnOrdinaryProcessMay) {
  if (!GetParam().works_outside) return;
  const int status = InChild([&] { return GetParam().run(victim_.pid()); });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0) << "errno; the attempt shows nothing";
}

INSTANTIATE_TEST_SUITE_P(Sandbox, AttemptTest, testing::ValuesIn(SandboxAttempts()),
                         [](const auto& info) {
                           std::string name = info.param.name;
                           std::erase_if(name, [](char c) { return !std::isalnum(c); });
                           return name;
                         });

TEST(SandboxTest, TheOtherSystemCallTablesAreDeath) {
  const int by_int80 = InSandbox([] {
    long result = 20;  // getpid of i386
    asm volatile("int $0x80" : "+a"(result) : : "memory");
    return result > 0 ? 0 : 1;
  });
  EXPECT_TRUE(WIFSIGNALED(by_int80) && WTERMSIG(by_int80) == SIGSYS) << by_int80;
  constexpr long kX32 = 0x40000000;
  const int by_x32 = InSandbox([] { return syscall(kX32 + SYS_getpid) > 0 ? 0 : 1; });
  EXPECT_TRUE(WIFSIGNALED(by_x32) && WTERMSIG(by_x32) == SIGSYS) << by_x32;
}

TEST(SandboxTest, WhatAServiceNeedsStillWorks) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  const int status = InChild([&] {
    SandboxReport report;
    const int keep[] = {pair[0]};
    EnterNamespaces(keep, report);
    CloseSystemCalls(report);
    // Allocates, starts a thread, talks on what it was left, and counts the processors.
    std::string text;
    std::thread([&] { text = std::string(1 << 20, 'x'); }).join();
    if (write(pair[0], "hello", 5) != 5) return 1;
    return std::thread::hardware_concurrency() > 0 && text.size() == 1 << 20 ? 0 : 2;
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  char text[5];
  EXPECT_EQ(read(pair[1], text, sizeof(text)), 5);
  close(pair[0]);
  close(pair[1]);
}

TEST(SandboxTest, OfIoctlOnlyTheRequestsThatWereNamedAreMade) {
  const auto attempt = [](std::vector<uint64_t> requests) {
    return InChild([&] {
      int pipe_ends[2];
      if (pipe(pipe_ends) != 0) return kMechanismMissing;
      SandboxReport report;
      CloseSystemCalls(report, {}, requests);
      int bytes;
      return ioctl(pipe_ends[0], FIONREAD, &bytes) == 0 ? 0 : errno;
    });
  };
  EXPECT_EQ(WEXITSTATUS(attempt({FIONREAD})), 0);
  EXPECT_EQ(WEXITSTATUS(attempt({FIONBIO})), EPERM);
  EXPECT_EQ(WEXITSTATUS(attempt({})), EPERM);
}

TEST(SandboxTest, ThreadsThatWereThereBeforeAreShutInToo) {
  const int status = InChild([] {
    std::atomic<bool> closed{false};
    int error = 0;
    std::thread early([&] {
      while (!closed) std::this_thread::yield();
      error = socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? errno : 0;
    });
    SandboxReport report;
    CloseSystemCalls(report);
    closed = true;
    early.join();
    return error;
  });
  EXPECT_EQ(WEXITSTATUS(status), EPERM) << status;
}

TEST(SandboxTest, OnlyTheDescriptorsToKeepStayOpen) {
  const int kept = dup(0);
  const int left = open("/dev/null", O_RDONLY);
  ASSERT_GT(left, kept);
  const int status = InChild([&] {
    SandboxReport report;
    const int keep[] = {kept};
    EnterNamespaces(keep, report);
    if (fcntl(kept, F_GETFD) < 0) return 1;
    for (int fd = 3; fd < 4096; ++fd) {
      if (fd != kept && fcntl(fd, F_GETFD) >= 0) return 2;
    }
    return 0;
  });
  EXPECT_EQ(WEXITSTATUS(status), 0) << status;
  close(kept);
  close(left);
}

// The namespaces and Landlock have to hold without the filter behind them.
TEST(SandboxTest, NoFileCanBeOpenedEvenWithoutTheFilter) {
  const int status = InChild([] {
    SandboxReport report;
    EnterNamespaces({}, report);
    if (!Has(report.in_force, "empty root") && !Has(report.in_force, "landlock")) {
      return kMechanismMissing;
    }
    for (const char* path : {"/etc/passwd", "/proc/self/mem", "/dev/null", "/tmp/x", "../x"}) {
      if (open(path, O_RDONLY) >= 0) return 1;
      if (open(path, O_WRONLY | O_CREAT, 0600) >= 0) return 2;
    }
    return 0;
  });
  if (WEXITSTATUS(status) == kMechanismMissing) GTEST_SKIP() << "the host permits neither";
  EXPECT_EQ(WEXITSTATUS(status), 0) << status;
}

TEST(SandboxTest, ThereIsNoNetworkEvenWithoutTheFilter) {
  const int status = InChild([] {
    SandboxReport report;
    EnterNamespaces({}, report);
    if (!Has(report.in_force, "network namespace")) return kMechanismMissing;
    // A fresh network namespace has one interface, the loopback, and that is down.
    const struct if_nameindex* names = if_nameindex();
    int count = 0;
    while (names != nullptr && names[count].if_index != 0) ++count;
    return count <= 1 ? 0 : 1;
  });
  if (WEXITSTATUS(status) == kMechanismMissing) GTEST_SKIP() << "no network namespace here";
  EXPECT_EQ(WEXITSTATUS(status), 0) << status;
}

TEST(SandboxTest, EveryMechanismIsReportedOnceAsInForceOrAsMissingWithAReason) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const int status = InChild([&] {
    SandboxReport report;
    const int keep[] = {pipe_ends[1]};
    EnterNamespaces(keep, report);
    CloseSystemCalls(report);
    for (const char* mechanism : {"no_new_privs", "user namespace", "not dumpable", "seccomp"}) {
      const bool in_force = Has(report.in_force, mechanism);
      const bool missing = std::any_of(
          report.missing.begin(), report.missing.end(),
          [&](const std::string& line) { return line.starts_with(std::string(mechanism) + ": "); });
      if (in_force == missing) return 1;
    }
    return Has(report.in_force, "seccomp") && Has(report.in_force, "no_new_privs") ? 0 : 2;
  });
  EXPECT_EQ(WEXITSTATUS(status), 0) << status;
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

}  // namespace
}  // namespace hv::service
