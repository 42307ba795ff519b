#include "hvd/host/runtime_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace hv::hvd {
namespace {

namespace fs = std::filesystem;

class RuntimeFolderTest : public testing::Test {
 protected:
  RuntimeFolderTest() : path_(testing::TempDir() + "/runtime_folder_test") {
    fs::remove_all(path_);
  }
  ~RuntimeFolderTest() override { fs::remove_all(path_); }
  std::string path_;
};

TEST_F(RuntimeFolderTest, IsMadePrivate) {
  const auto folder = RuntimeFolder::Open(path_);
  ASSERT_TRUE(folder.ok()) << folder.status();
  struct stat info;
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  EXPECT_TRUE(RuntimeFolder::Open(path_).ok()) << "a second time";
}

TEST_F(RuntimeFolderTest, OneOpenToOthersIsRefused) {
  fs::create_directory(path_);
  chmod(path_.c_str(), 0755);
  const auto folder = RuntimeFolder::Open(path_);
  EXPECT_EQ(folder.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_NE(folder.status().message().find("0755"), absl::string_view::npos) << folder.status();
}

TEST_F(RuntimeFolderTest, ALinkIsRefused) {
  fs::create_directory(path_ + "-real");
  fs::create_directory_symlink(path_ + "-real", path_);
  EXPECT_EQ(RuntimeFolder::Open(path_).status().code(), absl::StatusCode::kPermissionDenied);
  fs::remove_all(path_ + "-real");
}

TEST_F(RuntimeFolderTest, MissingParentIsAnError) {
  EXPECT_EQ(RuntimeFolder::Open(path_ + "/a/b").status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(RuntimeFolderTest, MachineFolderKeepsALogAndGoesAway) {
  const auto folder = RuntimeFolder::Open(path_).value();
  const std::string path = path_ + "/machines/one";
  {
    auto machine = folder.MakeMachineFolder("one").value();
    const std::string text = "first line\nsecond line\n";
    ASSERT_EQ(write(machine.log_fd(), text.data(), text.size()), ssize_t(text.size()));
    EXPECT_EQ(machine.LogTail(1000), text);
    EXPECT_EQ(machine.LogTail(15), "second line\n") << "no half lines";
    EXPECT_TRUE(fs::exists(path));
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(RuntimeFolderTest, WhatAPredecessorLeftIsRemoved) {
  const auto folder = RuntimeFolder::Open(path_).value();
  fs::create_directories(path_ + "/machines/one/left/behind");
  const auto machine = folder.MakeMachineFolder("one");
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_FALSE(fs::exists(path_ + "/machines/one/left"));
}

TEST_F(RuntimeFolderTest, WhatAKilledHvdLeftOfARunningMachineIsKept) {
  const auto folder = RuntimeFolder::Open(path_).value();
  fs::create_directories(path_ + "/machines/one");
  std::ofstream(path_ + "/machines/one/log") << "said before\n";
  const auto machine = folder.KeepMachineFolder("one");
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_EQ(machine->LogTail(100), "said before\n");
}

TEST_F(RuntimeFolderTest, FoldersOfMachinesThatAreGoneAreRemoved) {
  const auto folder = RuntimeFolder::Open(path_).value();
  for (const char* name : {"one", "two", "three"}) {
    fs::create_directories(path_ + "/machines/" + name + "/some");
  }
  folder.RemoveMachineFoldersBut({"two", "never there"});
  EXPECT_FALSE(fs::exists(path_ + "/machines/one"));
  EXPECT_TRUE(fs::exists(path_ + "/machines/two/some"));
  EXPECT_FALSE(fs::exists(path_ + "/machines/three"));
}

}  // namespace
}  // namespace hv::hvd
