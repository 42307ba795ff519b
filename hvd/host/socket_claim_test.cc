#include "hvd/host/socket_claim.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/temporary_folder.h"

namespace hv::hvd {
namespace {

namespace fs = std::filesystem;

class SocketClaimTest : public testing::Test {
 protected:
  // A socket file as a process that died leaves it: bound, nobody listening.
  void LeaveStaleSocket() {
    const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{.sun_family = AF_UNIX};
    std::strcpy(address.sun_path, path_.c_str());
    ASSERT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }

  const TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
  const std::string path_ = folder_ / "s";
};

TEST_F(SocketClaimTest, SecondClaimIsRefusedWithThePidOfTheFirst) {
  const auto first = SocketClaim::Take(path_);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = SocketClaim::Take(path_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_NE(second.status().message().find(std::to_string(getpid())), absl::string_view::npos);
}

TEST_F(SocketClaimTest, StaleSocketIsRemoved) {
  LeaveStaleSocket();
  const auto claim = SocketClaim::Take(path_);
  ASSERT_TRUE(claim.ok()) << claim.status();
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(SocketClaimTest, ARefusedClaimLeavesTheLiveSocketAlone) {
  const auto first = SocketClaim::Take(path_);
  LeaveStaleSocket();
  EXPECT_FALSE(SocketClaim::Take(path_).ok());
  EXPECT_TRUE(fs::exists(path_));
}

TEST_F(SocketClaimTest, SocketGoesWithTheClaimAndCanBeClaimedAgain) {
  {
    const auto claim = SocketClaim::Take(path_);
    LeaveStaleSocket();
  }
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_TRUE(SocketClaim::Take(path_).ok());
}

TEST_F(SocketClaimTest, AnOrdinaryFileIsNotRemoved) {
  std::ofstream(path_) << "precious";
  EXPECT_EQ(SocketClaim::Take(path_).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(fs::exists(path_));
}

TEST_F(SocketClaimTest, ImpossiblePathsAreExplained) {
  EXPECT_EQ(SocketClaim::Take(folder_ / std::string(200, 'x')).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(SocketClaim::Take("").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(SocketClaim::Take(folder_ / "missing/s").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace hv::hvd
