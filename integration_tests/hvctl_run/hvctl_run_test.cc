// `hvctl run` as a shell sees it: what it exits with, and what it leaves behind.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/temporary_folder.h"
#include "base/unique_fd.h"

namespace hv::testing {
namespace {

namespace fs = std::filesystem;

constexpr char kKernel[] = "integration_tests/boot_kernels/pvh.elf";
constexpr char kLastOutput[] = " end\n";  // what the kernel says before it leaves

// hvctl with its output on a pipe.
class Hvctl {
 public:
  explicit Hvctl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "cli/hvctl");
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    output_ = UniqueFd(ends[0]);
    const UniqueFd theirs(ends[1]);
    posix_spawn_file_actions_t actions;
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, theirs.get(), 1);
    CHECK(posix_spawn(&pid_, pointers[0], &actions, nullptr, pointers.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
  }

  // Reads until `text` has appeared; false: it ended before.
  bool Expect(const std::string& text) {
    while (said_.find(text) == std::string::npos) {
      char piece[512];
      const ssize_t got = read(output_.get(), piece, sizeof(piece));
      if (got <= 0) return false;
      said_.append(piece, static_cast<size_t>(got));
    }
    return true;
  }
  void CloseOutput() { output_.Reset(); }
  void Signal(int signal) { kill(pid_, signal); }
  // As a shell counts it: 128 + n when signal n ended it.
  int ExitStatus() {
    int status = 0;
    CHECK(waitpid(pid_, &status, 0) == pid_);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = 0;
  UniqueFd output_;
  std::string said_;
};

class HvctlRunTest : public ::testing::Test {
 protected:
  ~HvctlRunTest() override { Hvctl({"rm", "--force", "vm", "--socket", Socket()}).ExitStatus(); }
  std::string Socket() const { return folder_ / "s"; }
  Hvctl Run(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"run",      "--name", "vm",       "--memory", "8",
                                       "--kernel", kKernel,  "--socket", Socket()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Hvctl(arguments);
  }
  // Whether hvctl can still show the machine.
  bool IsThere() { return Hvctl({"inspect", "vm", "--socket", Socket()}).ExitStatus() == 0; }

  const TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
};

TEST_F(HvctlRunTest, ASignalEndsTheMachineToo) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    Hvctl run = Run();
    ASSERT_TRUE(run.Expect(kLastOutput));
    run.Signal(signal);
    EXPECT_EQ(run.ExitStatus(), 12) << strsignal(signal);
    EXPECT_FALSE(IsThere()) << strsignal(signal);
  }
}

TEST_F(HvctlRunTest, OutputThatNobodyReadsEndsTheMachineToo) {
  Hvctl run = Run();
  run.CloseOutput();
  EXPECT_EQ(run.ExitStatus(), 12);
  EXPECT_FALSE(IsThere());
}

TEST_F(HvctlRunTest, ThoseThatStartAtOnceShareOneHvd) {
  std::vector<std::unique_ptr<Hvctl>> runs;
  for (int i = 0; i < 4; ++i) {
    runs.push_back(std::make_unique<Hvctl>(
        std::vector<std::string>{"run", "--debug-exit", "--name", "vm" + std::to_string(i),
                                 "--memory", "8", "--kernel", kKernel, "--socket", Socket()}));
  }
  for (const auto& run : runs) {
    EXPECT_TRUE(run->Expect(kLastOutput));
    EXPECT_EQ(run->ExitStatus(), 1);
  }
}

TEST_F(HvctlRunTest, ADebugExitIsTheExitStatus) {
  Hvctl run = Run({"--debug-exit"});
  EXPECT_TRUE(run.Expect(kLastOutput));
  EXPECT_EQ(run.ExitStatus(), 1);  // the kernel writes 0
  EXPECT_FALSE(IsThere());
}

TEST_F(HvctlRunTest, ADetachedMachineStaysUntilItIsRemoved) {
  Hvctl run = Run({"--detach"});
  EXPECT_TRUE(run.Expect("vm\n"));
  EXPECT_EQ(run.ExitStatus(), 0);
  EXPECT_TRUE(IsThere());
}

}  // namespace
}  // namespace hv::testing
