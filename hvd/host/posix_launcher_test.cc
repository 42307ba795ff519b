#include "hvd/host/posix_launcher.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/temporary_folder.h"
#include "base/unique_fd.h"

namespace hv::hvd {
namespace {

namespace fs = std::filesystem;

class PosixLauncherTest : public testing::Test {
 protected:
  PosixLauncherTest() {
    int sockets[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
    ours_.Reset(sockets[0]);
    theirs_.Reset(sockets[1]);
    log_.Reset(open((folder_ / "log").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  }

  std::unique_ptr<Process> LaunchScript(const std::string& text) {
    const fs::path path = folder_ / "part";
    std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
    chmod(path.c_str(), 0755);
    auto process = PosixLauncher(Executables(folder_)).Launch("part", theirs_.get(), log_.get());
    theirs_.Reset();
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  }
  std::string Received() {
    char text[256] = {};
    const ssize_t got = read(ours_.get(), text, sizeof(text));
    return {text, got > 0 ? size_t(got) : 0};
  }
  bool Dead(const Process& process, int timeout_ms) {
    pollfd poll_fd{process.death_fd(), POLLIN, 0};
    return poll(&poll_fd, 1, timeout_ms) == 1;
  }

  const TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
  UniqueFd ours_, theirs_, log_;
};

TEST_F(PosixLauncherTest, SocketIsDescriptor3AndExitStatusIsReported) {
  const auto process = LaunchScript("echo hello >&3; exit 7");
  EXPECT_EQ(Received(), "hello\n");
  const ProcessEnd end = process->Reap();
  EXPECT_FALSE(end.by_signal);
  EXPECT_EQ(end.code, 7);
  EXPECT_EQ(end.InWords(), "exited with status 7");
}

TEST_F(PosixLauncherTest, DeathIsSeenOnTheDescriptor) {
  const auto process = LaunchScript("read x <&3");
  EXPECT_FALSE(Dead(*process, 0));
  process->Kill();
  EXPECT_TRUE(Dead(*process, 10'000));
  EXPECT_EQ(process->Reap().InWords(), "killed by signal 9 (Killed)");
  EXPECT_EQ(process->Reap().code, 9) << "asked again";
}

TEST_F(PosixLauncherTest, NoOtherDescriptorGoesAlong) {
  const UniqueFd leak(open("/dev/null", O_RDONLY));  // without O_CLOEXEC
  const auto process = LaunchScript("ls /proc/self/fd | tr '\\n' ' ' >&3");
  // 0 to 3, and the one with which ls reads the folder.
  EXPECT_EQ(Received(), "0 1 2 3 4 ");
}

TEST_F(PosixLauncherTest, IsASessionOfItsOwn) {
  const auto process = LaunchScript("read x <&3");
  EXPECT_EQ(getsid(process->pid()), process->pid());
}

TEST_F(PosixLauncherTest, StandardErrorGoesToTheLog) {
  LaunchScript("echo trouble >&2; exit 1")->Reap();
  std::ifstream log(folder_ / "log");
  std::string line;
  std::getline(log, line);
  EXPECT_EQ(line, "trouble");
}

TEST_F(PosixLauncherTest, DestructionEndsAndReaps) {
  pid_t pid;
  {
    const auto process = LaunchScript("read x <&3");
    pid = process->pid();
  }
  EXPECT_EQ(kill(pid, 0), -1) << "neither alive nor a zombie";
}

TEST_F(PosixLauncherTest, AProcessOfAnotherParentIsEndedAndAwaitedToo) {
  const auto parent = LaunchScript("sleep 1000 & echo $! >&3; read x <&3");
  const pid_t pid = std::stoi(Received());
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  ASSERT_TRUE(pidfd.valid());
  const auto adopted = PosixLauncher(Executables(folder_)).Adopt(pid, std::move(pidfd));
  EXPECT_EQ(adopted->pid(), pid);
  EXPECT_FALSE(Dead(*adopted, 0));
  adopted->Kill();
  const ProcessEnd end = adopted->Reap();
  EXPECT_TRUE(Dead(*adopted, 0));
  EXPECT_FALSE(end.known);
  EXPECT_NE(end.InWords().find("ended"), std::string::npos);
}

TEST_F(PosixLauncherTest, MissingProgramIsNotFound) {
  EXPECT_EQ(PosixLauncher(Executables(folder_)).Launch("none", 3, 2).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace hv::hvd
