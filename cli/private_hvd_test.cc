#include "cli/private_hvd.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

namespace hv::cli {
namespace {

// A program that stands in for hvd: a shell script.
std::string Program(const std::string& name, const std::string& script) {
  std::string path = testing::TempDir() + name;
  std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
  chmod(path.c_str(), 0700);
  return path;
}

TEST(PrivateHvdTest, ReturnsOnceHvdListens) {
  const std::string seen = testing::TempDir() + "arguments";
  const auto program = Program("ready", "echo \"$@\" > " + seen + "\necho ready >&3");
  ASSERT_TRUE(StartPrivateHvd(program, "/s", "/parts").ok());
  std::string line;
  std::getline(std::ifstream(seen), line);
  EXPECT_EQ(line, "--socket /s --exit-when-idle --ready-fd 3 --libexec /parts");
}

TEST(PrivateHvdTest, WhatHvdComplainsOfIsHandedOn) {
  const auto program = Program("refuses", "echo 'error: socket /s is busy' >&3; exit 1");
  const auto status = StartPrivateHvd(program, "/s", "");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "hvd: socket /s is busy");
}

TEST(PrivateHvdTest, AnotherHvdThatHasTheSocketIsToldFromFailures) {
  const auto program = Program("busy", "echo 'busy: pid 7 listens there' >&3; exit 1");
  const auto status = StartPrivateHvd(program, "/s", "");
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(status.message(), "hvd: pid 7 listens there");
}

TEST(PrivateHvdTest, AnHvdThatDiesWithoutAWordIsAnError) {
  EXPECT_EQ(StartPrivateHvd(Program("dies", "exit 3"), "/s", "").code(),
            absl::StatusCode::kInternal);
  EXPECT_EQ(StartPrivateHvd("/nonexistent/hvd", "/s", "").code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace hv::cli
