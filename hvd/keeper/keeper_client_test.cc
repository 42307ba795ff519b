// The client with a real hv_keeper.
#include "hvd/keeper/keeper_client.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <thread>

#include "base/temporary_folder.h"
#include "hvd/host/posix_launcher.h"
#include "hvd/keeper/keeper_socket.h"

namespace hv::hvd {
namespace {

namespace fs = std::filesystem;

// Starts real ones, and remembers them.
class WatchedLauncher : public Launcher {
 public:
  absl::StatusOr<std::unique_ptr<Process>> Launch(const std::string& name, int socket,
                                                  int log) override {
    ++launched;
    auto process = real_.Launch(name, socket, log);
    if (process.ok()) pid = (*process)->pid();
    return process;
  }
  std::unique_ptr<Process> Adopt(pid_t of, UniqueFd death_fd) override {
    pid = of;
    return real_.Adopt(of, std::move(death_fd));
  }
  std::atomic<int> launched{0};
  std::atomic<pid_t> pid{0};

 private:
  PosixLauncher real_{Executables::Beside(fs::current_path() / "hvd")};
};

// Whose processes go on when it goes: as an hvd that is killed.
class LeavingLauncher : public WatchedLauncher {
 public:
  absl::StatusOr<std::unique_ptr<Process>> Launch(const std::string& name, int socket,
                                                  int log) override {
    auto process = WatchedLauncher::Launch(name, socket, log);
    if (!process.ok()) return process;
    left_.push_back(*std::move(process));
    return std::make_unique<Gone>();
  }

 private:
  class Gone : public Process {
   public:
    pid_t pid() const override { return 0; }
    int death_fd() const override { return -1; }
    ProcessActivity activity() const override { return {}; }
    ProcessActivity thread_activity(pid_t) const override { return {}; }
    void Signal(int) override {}
    ProcessEnd Reap() override { return {}; }
  };
  std::vector<std::unique_ptr<Process>> left_;
};

class KeeperClientTest : public testing::Test {
 protected:
  void AwaitLaunched(int count) {
    while (launcher_.launched < count) std::this_thread::yield();
  }
  const TemporaryFolder temporary_;
  const std::string folder_ = temporary_.path();
  EventLoop loop_;
  WatchedLauncher launcher_;
  std::optional<KeeperClient> keeper_{std::in_place, loop_, launcher_, folder_};
};

TEST_F(KeeperClientTest, WithoutAFormerHvdThereIsNothingAndNoProcess) {
  EXPECT_TRUE(keeper_->TakeOver().value().empty());
  EXPECT_EQ(launcher_.launched, 0);
  keeper_->Remove("vm");
  EXPECT_EQ(launcher_.launched, 0);
}

TEST_F(KeeperClientTest, TheSocketIsForItsUserAloneAndGoesWithTheClient) {
  keeper_->Put("vm", "record", {});
  struct stat info;
  ASSERT_EQ(stat((folder_ + "/keeper.sock").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  keeper_.reset();
  EXPECT_FALSE(fs::exists(folder_ + "/keeper.sock"));
  ASSERT_GT(launcher_.pid, 0);
  EXPECT_NE(kill(launcher_.pid, 0), 0) << "hv_keeper is still there";
}

TEST_F(KeeperClientTest, AKilledHvdsRecordsAreTheNextOnes) {
  LeavingLauncher leaving;
  const UniqueFd file(memfd_create("kept", MFD_CLOEXEC));
  ASSERT_EQ(write(file.get(), "kept", 4), 4);
  {
    EventLoop loop;
    KeeperClient killed(loop, leaving, folder_);
    killed.Put("vm", "old", {});
    killed.Put("vm", "record", std::array{file.get()});
    killed.Put("gone", "", {});
    killed.Remove("gone");
    // The socket's file, which a killed hvd cannot remove.
    fs::create_hard_link(folder_ + "/keeper.sock", folder_ + "/link");
  }
  fs::rename(folder_ + "/link", folder_ + "/keeper.sock");
  const auto records = keeper_->TakeOver();
  ASSERT_TRUE(records.ok()) << records.status();
  ASSERT_EQ(records->size(), 1u);
  EXPECT_EQ(records->at("vm").bytes, "record");
  char text[8] = {};
  EXPECT_EQ(pread(records->at("vm").fds.at(0).get(), text, 4, 0), 4);
  EXPECT_STREQ(text, "kept");
  EXPECT_EQ(launcher_.pid, leaving.pid) << "it is known";
  keeper_->Put("another", "", {});
  EXPECT_EQ(launcher_.launched, 0) << "one is enough";
}

TEST_F(KeeperClientTest, OneThatDiesIsReplacedAndToldEverythingAgain) {
  keeper_->Put("one", "1", {});
  const pid_t first = launcher_.pid;
  ASSERT_GT(first, 0);
  kill(first, SIGKILL);
  AwaitLaunched(2);
  keeper_->Put("two", "2", {});
  EXPECT_NE(launcher_.pid, first);
  keeper_.emplace(loop_, launcher_, folder_);  // which ends the second
  EXPECT_TRUE(keeper_->TakeOver().value().empty());
}

TEST_F(KeeperClientTest, OneThatTakesNothingIsReplaced) {
  keeper_->Put("one", "1", {});
  ASSERT_GT(launcher_.pid, 0);
  kill(launcher_.pid, SIGSTOP);
  const std::string large(1 << 20, 'x');
  keeper_->Put("two", large, {});
  AwaitLaunched(2);
}

TEST_F(KeeperClientTest, ItEndsWhenItHoldsNothingAndNobodyIsConnected) {
  LeavingLauncher leaving;
  {
    EventLoop loop;
    KeeperClient killed(loop, leaving, folder_);
    killed.Put("vm", "record", {});
    killed.Remove("vm");
  }
  // Not reaped yet: a zombie's descriptors are gone.
  std::error_code gone;
  while (fs::exists("/proc/" + std::to_string(leaving.pid) + "/exe", gone)) {
    std::this_thread::yield();
  }
}

}  // namespace
}  // namespace hv::hvd
