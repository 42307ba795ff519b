#include "hvd/host/locations.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace hv::hvd {
namespace {

namespace fs = std::filesystem;

class LocationsTest : public testing::Test {
 protected:
  LocationsTest() : root_(fs::canonical(testing::TempDir()) / "locations_test") {
    fs::remove_all(root_);
  }
  ~LocationsTest() override { fs::remove_all(root_); }

  std::string Program(const std::string& path, bool executable = true) {
    const fs::path file = root_ / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << "#!";
    chmod(file.c_str(), executable ? 0755 : 0644);
    return file;
  }

  fs::path root_;
};

TEST_F(LocationsTest, RuntimeFolderFollowsXdg) {
  fs::create_directories(root_);
  setenv("XDG_RUNTIME_DIR", root_.c_str(), 1);
  EXPECT_EQ(DefaultRuntimeFolder(), root_ / "hv");
  for (const std::string& unusable : {std::string("relative"), (root_ / "missing").string()}) {
    setenv("XDG_RUNTIME_DIR", unusable.c_str(), 1);
    EXPECT_EQ(DefaultRuntimeFolder(),
              geteuid() == 0 ? "/run/hv" : "/tmp/hv-" + std::to_string(geteuid()));
  }
}

TEST_F(LocationsTest, SocketCanBeNamedByTheEnvironment) {
  setenv("HV_SOCKET", "/somewhere/else.sock", 1);
  EXPECT_EQ(DefaultSocketPath(), "/somewhere/else.sock");
  unsetenv("HV_SOCKET");
  EXPECT_EQ(DefaultSocketPath(), DefaultRuntimeFolder() + "/hvd.sock");
}

TEST_F(LocationsTest, FindsProgramsInEachLayout) {
  const std::string flat = Program("flat/timer_svc");
  const std::string tree = Program("tree/timer_svc/timer_svc");
  const std::string device = Program("tree/device_svc/serial/serial_svc");
  const std::string cli = Program("tree/cli/hvctl");
  const std::string installed = Program("prefix/libexec/hv/timer_svc");
  fs::create_directories(root_ / "tree/hvd");
  fs::create_directories(root_ / "prefix/bin");
  EXPECT_EQ(Executables::Beside(root_ / "flat").Find("timer_svc").value(), flat);
  EXPECT_EQ(Executables::Beside(root_ / "tree/hvd").Find("timer_svc").value(), tree);
  EXPECT_EQ(Executables::Beside(root_ / "tree/hvd").Find("serial_svc").value(), device);
  EXPECT_EQ(Executables::Beside(root_ / "tree/hvd").Find("hvctl").value(), cli);
  EXPECT_EQ(Executables::Beside(root_ / "prefix/bin").Find("timer_svc").value(), installed);
}

TEST_F(LocationsTest, LibexecIsTheOnlyPlaceWhenGiven) {
  const std::string program = Program("given/timer_svc");
  EXPECT_EQ(Executables(root_ / "given").Find("timer_svc").value(), program);
  EXPECT_EQ(Executables(root_ / "other").Find("timer_svc").status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(LocationsTest, WhatCannotBeRunIsNotFound) {
  const std::string program = Program("flat/timer_svc", /*executable=*/false);
  if (access(program.c_str(), X_OK) == 0) FAIL() << "a file without x bits is executable here";
  const auto found = Executables(root_ / "flat").Find("timer_svc");
  EXPECT_EQ(found.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(found.status().message().find("--libexec"), absl::string_view::npos);
}

}  // namespace
}  // namespace hv::hvd
