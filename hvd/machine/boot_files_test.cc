#include "hvd/machine/boot_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/temporary_folder.h"

namespace hv::hvd {
namespace {

namespace fs = std::filesystem;

class BootFilesTest : public testing::Test {
 protected:
  BootFilesTest() { config_.set_kernel(Write("kernel", "k")); }
  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  absl::Status Refusal() { return OpenBootFiles(config_).status(); }

  const TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
  hv::v1::MachineConfig config_;
};

TEST_F(BootFilesTest, EverythingNamedIsOpened) {
  config_.set_initrd(Write("initrd", "12345"));
  auto& module = *config_.add_modules();
  module.set_path(Write("module", "m"));
  module.set_command_line("argument");
  const auto files = OpenBootFiles(config_);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->kernel.bytes, 1u);
  EXPECT_EQ(files->initrd->bytes, 5u);
  ASSERT_EQ(files->modules.size(), 1u);
  EXPECT_EQ(files->modules[0].command_line, "argument");
}

TEST_F(BootFilesTest, MissingFileIsNotFoundByRoleAndPath) {
  config_.set_initrd(folder_ / "none");
  EXPECT_EQ(Refusal().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(Refusal().message().find("initrd " + config_.initrd()), absl::string_view::npos);
}

TEST_F(BootFilesTest, EmptyFileIsRefused) {
  config_.set_kernel(Write("empty", ""));
  EXPECT_EQ(Refusal().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(Refusal().message().find("empty"), absl::string_view::npos);
}

TEST_F(BootFilesTest, WhatIsNoRegularFileIsRefusedWithoutWaiting) {
  config_.set_kernel(folder_);
  EXPECT_EQ(Refusal().code(), absl::StatusCode::kInvalidArgument);
  const std::string fifo = folder_ / "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  config_.set_kernel(fifo);
  EXPECT_EQ(Refusal().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace hv::hvd
