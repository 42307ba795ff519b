// Debian's programs do in a guest what they do on the host: what they print and their exit status
// are the same, byte for byte.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "integration_tests/harness/child.h"
#include "integration_tests/harness/hvctl.h"
#include "integration_tests/harness/linux_guest.h"
#include "integration_tests/harness/linux_log.h"
#include "integration_tests/programs/program_report.h"

namespace hv::testing {
namespace {

constexpr char kFolder[] = "integration_tests/programs";
constexpr int kPackagesMissing = 2;  // tools/programs

// In namespaces of its own, so that it needs no root and leaves nothing in the tree.
constexpr char kRunOnHost[] = R"(
  mount --rbind /dev "$1/dev" && mount -t tmpfs tmp "$1/tmp" && mount -t tmpfs work "$1/work" &&
    cp -rL "$2/work/." "$1/work" && exec /usr/sbin/chroot "$1" /bin/sh /work/run 1)";

struct Ran {
  int status;
  std::string output;
  std::string errors;
};

Ran RunToEnd(const std::vector<std::string>& command) {
  Child child(command, false);
  child.CloseInput();
  const int status = child.Wait();
  return {status, child.output(), child.errors()};
}

std::vector<std::string> InNamespaces(const std::vector<std::string>& command) {
  std::vector<std::string> whole{"/usr/bin/unshare", "--map-root-user", "--mount"};
  whole.insert(whole.end(), command.begin(), command.end());
  return whole;
}

class ProgramsTest : public ::testing::Test {
 protected:
  // Once for all tests: what is missing is made, and the host does the work.
  static void SetUpTestSuite() {
    const Ran made = RunToEnd({"tools/programs", kFolder});
    if (made.status == kPackagesMissing) why_not_ = made.errors;
    const Ran unshared = RunToEnd(InNamespaces({"/bin/true"}));
    if (unshared.status != 0) why_not_ = "this host lets nobody chroot: " + unshared.errors;
    if (!why_not_.empty()) return;
    ASSERT_EQ(made.status, 0) << made.errors;
    std::istringstream lines(made.output);
    std::string tree;
    std::getline(lines, tree);
    std::getline(lines, initramfs_);
    const Ran host = RunToEnd(InNamespaces({"/bin/sh", "-c", kRunOnHost, "sh", tree, kFolder}));
    ASSERT_EQ(host.status, 0) << host.errors;
    host_ = ReadReports(host.output);
  }

  void SetUp() override {
    if (!why_not_.empty()) GTEST_SKIP() << why_not_;
    ASSERT_FALSE(host_.empty());
    for (const auto& [name, ended] : host_) {
      ASSERT_EQ(ended.status, "0") << name << " fails on the host:\n" << ended.output;
    }
  }

  static void CompareWithGuest(int cpus, int programs_at_once) {
    const Hvctl hvctl;
    const auto guest = hvctl.Run(
        {"run", "--name", "vm", "--kernel", LinuxKernel(), "--initrd", initramfs_, "--append",
         "console=ttyS0 panic=-1 quiet rdinit=/work/init programs_at_once=" +
             std::to_string(programs_at_once),
         "--memory", "1G", "--engine", "soft", "--cpus", std::to_string(cpus)});
    EXPECT_EQ(guest.status, 0) << guest.errors;
    const auto reports = ReadReports(guest.output);
    for (const auto& [name, wanted] : host_) {
      const auto got = reports.find(name);
      if (got == reports.end()) {
        ADD_FAILURE() << "nothing whole from " << name;
        continue;
      }
      EXPECT_EQ(got->second.status, wanted.status) << name;
      const std::string difference = Difference(wanted.output, got->second.output);
      EXPECT_TRUE(difference.empty()) << name << ": " << difference;
    }
    EXPECT_EQ(reports.size(), host_.size());
    // The kernel's log is what comes after the last report.
    const std::string log =
        guest.output.substr(std::min(guest.output.rfind("\nend "), guest.output.size()));
    EXPECT_NE(log.find("Run /work/init as init process"), std::string::npos) << guest.output;
    for (const std::string& line : Complaints(log)) ADD_FAILURE() << "the guest's log: " << line;
  }

 private:
  inline static std::string why_not_;
  inline static std::string initramfs_;
  inline static std::map<std::string, Ended> host_;
};

TEST_F(ProgramsTest, OneAfterTheOther) { CompareWithGuest(1, 1); }

TEST_F(ProgramsTest, TwoAtOnceOnTwoVcpus) { CompareWithGuest(2, 2); }

}  // namespace
}  // namespace hv::testing
