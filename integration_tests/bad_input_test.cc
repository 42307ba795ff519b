// What a user can get wrong: a status with what was wrong, the value, and what to do; nothing left.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "integration_tests/harness/hvctl.h"
#include "integration_tests/harness/linux_guest.h"

namespace hv::testing {
namespace {

namespace fs = std::filesystem;

class BadInputTest : public ::testing::Test {
 protected:
  std::string File(const std::string& name, const std::string& contents) const {
    std::string path = hvctl_.folder() + "/" + name;
    std::ofstream(path, std::ios::binary) << contents;
    return path;
  }

  // Refused with `status`; the message has each of `parts`; no part of a machine is left.
  void ExpectRefusal(const std::vector<std::string>& arguments, int status,
                     const std::vector<std::string>& parts) const {
    const auto result = hvctl_.Run(arguments);
    EXPECT_EQ(result.status, status) << result.output << result.errors;
    for (const std::string& part : parts) {
      EXPECT_NE(result.errors.find(part), std::string::npos)
          << "\"" << part << "\" is not in: " << result.errors;
    }
    for (const pid_t part : Parts(hvctl_.HvdPid())) {
      ADD_FAILURE() << "left behind: " << part << ", " << ProcessName(part);
    }
    EXPECT_EQ(hvctl_.Run({"ps", "--quiet"}).output, "");
  }

  Hvctl hvctl_;
};

TEST_F(BadInputTest, KernelsThatAreNone) {
  ExpectRefusal({"run", "--kernel", "/nonexistent/kernel"}, 4, {"/nonexistent/kernel"});
  ExpectRefusal({"run", "--kernel", hvctl_.folder()}, 4, {hvctl_.folder()});
  const std::string empty = File("empty", "");
  ExpectRefusal({"run", "--kernel", empty}, 4, {empty, "empty"});
  const std::string text = File("text", "not a kernel at all, whatever its name says\n");
  ExpectRefusal({"run", "--kernel", text}, 4, {text});
}

TEST_F(BadInputTest, TruncatedKernels) {
  std::ifstream whole(LinuxKernel(), std::ios::binary);
  std::string bytes(200'000, 0);
  whole.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  for (const size_t size : {size_t{100}, size_t{600}, size_t{1024}, size_t{20'000}, bytes.size()}) {
    const std::string path = File("truncated", bytes.substr(0, size));
    ExpectRefusal({"run", "--kernel", path}, 4, {path});
  }
}

TEST_F(BadInputTest, InitrdThatDoesNotFit) {
  const std::string initrd = File("initrd", "");
  fs::resize_file(initrd, 300ull << 20);
  ExpectRefusal({"run", "--kernel", LinuxKernel(), "--initrd", initrd, "--memory", "128M"}, 4,
                {"initrd", "memory"});
}

TEST_F(BadInputTest, CountsOutOfRange) {
  const std::string kernel = LinuxKernel();
  ExpectRefusal({"run", "--kernel", kernel, "--memory", "1M"}, 4, {"memory", "4 MiB"});
  ExpectRefusal({"run", "--kernel", kernel, "--memory", "2048G"}, 4, {"memory"});
  ExpectRefusal({"run", "--kernel", kernel, "--memory", "lots"}, 4, {"lots"});
  ExpectRefusal({"run", "--kernel", kernel, "--cpus", "65"}, 4, {"cpus", "65", "64"});
  ExpectRefusal({"run", "--kernel", kernel, "--engine", "warp"}, 4, {"warp", "soft"});
  ExpectRefusal({"run", "--kernel", kernel, "--name", "no/slashes"}, 4, {"no/slashes"});
  ExpectRefusal({"run"}, 2, {"--kernel"});
}

TEST_F(BadInputTest, NamesThatAreTakenOrUnknown) {
  auto first = RunLinux("vm");
  first.push_back("--detach");
  ASSERT_EQ(hvctl_.Run(first).status, 0);
  const auto second = hvctl_.Run(first);
  EXPECT_EQ(second.status, 4);
  EXPECT_NE(second.errors.find("vm"), std::string::npos);
  const pid_t hvd = hvctl_.HvdPid();
  const size_t parts = Parts(hvd).size();
  const size_t descriptors = OpenDescriptors(hvd);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(hvctl_.Run(first).status, 4);
  EXPECT_EQ(Parts(hvd).size(), parts);
  EXPECT_LE(OpenDescriptors(hvd), descriptors + 2);  // connections that are just being closed
  const auto unknown = hvctl_.Run({"pause", "other"});
  EXPECT_EQ(unknown.status, 4);
  EXPECT_NE(unknown.errors.find("other"), std::string::npos);
}

TEST_F(BadInputTest, SocketsThatCannotBe) {
  const auto nobody = hvctl_.Run({"ps"});
  EXPECT_EQ(nobody.status, 6);
  EXPECT_NE(nobody.errors.find(hvctl_.socket()), std::string::npos);
  const Hvctl nowhere("/nonexistent/folder/s");
  const auto result = nowhere.Run({"run", "--kernel", "/x"});
  EXPECT_EQ(result.status, 6);
  EXPECT_NE(result.errors.find("/nonexistent/folder"), std::string::npos) << result.errors;
}

}  // namespace
}  // namespace hv::testing
