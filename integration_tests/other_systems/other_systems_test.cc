// Systems that know nothing of hv and of which hv knows nothing.
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "integration_tests/harness/child.h"
#include "integration_tests/harness/hvctl.h"
#include "integration_tests/harness/linux_guest.h"
#include "integration_tests/harness/linux_log.h"

namespace hv::testing {
namespace {

constexpr int kPackagesMissing = 2;  // tools/other_systems
// What a Linux with the initramfs of tools/guest does to show that it runs.
constexpr char kShowCpus[] =
    "rdinit=/bin/sh -- -c \"mount -t proc p /proc; echo cpus=$(grep -c ^processor /proc/cpuinfo); "
    "poweroff -f\"";

class OtherSystemsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Child maker({"tools/other_systems"}, false);
    maker.CloseInput();
    const int status = maker.Wait();
    if (status == kPackagesMissing) GTEST_SKIP() << maker.errors();
    ASSERT_EQ(status, 0) << maker.errors();
    std::istringstream lines(maker.output());
    std::getline(lines, memtest_);
    std::getline(lines, xen_);
    std::getline(lines, real_time_linux_);
  }

  static std::vector<std::string> Run(const std::string& kernel, const std::string& memory,
                                      const std::string& command_line,
                                      const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"run",  "--name",   "vm",        "--engine",
                                       "soft", "--kernel", kernel,      "--memory",
                                       memory, "--append", command_line};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  const Hvctl hvctl_;
  std::string memtest_;
  std::string xen_;
  std::string real_time_linux_;
};

// Entered by the 32-bit boot protocol; goes to long mode itself, moves itself about in memory and
// writes all of it in every pattern.
TEST_F(OtherSystemsTest, Memtest86FindsNoErrors) {
  const auto guest =
      hvctl_.Start(Run(memtest_, "8M", "console=ttyS0,115200 nosmp"), /*terminal=*/true);
  // The last test of a pass, which does nothing but wait, for minutes.
  ASSERT_TRUE(guest->Expect("[Bit fade test"));
  const std::string& screen = guest->output();
  const size_t counted = screen.rfind("Errors: ");
  ASSERT_NE(counted, std::string::npos);
  EXPECT_EQ(screen.substr(counted, 9), "Errors: 0") << screen.substr(screen.size() - 2000);
}

// A hypervisor by Multiboot, with real-mode remains, and its first domain: Linux in ring 3. Xen
// takes the first word of its command line and of a module's for the file's name.
TEST_F(OtherSystemsTest, XenRunsLinuxInRingThree) {
  const auto guest =
      hvctl_.Run(Run(xen_, "768M", "xen no-real-mode console=com1 com1=115200,8n1",
                     {"--module", real_time_linux_ + " linux console=hvc0 quiet " + kShowCpus,
                      "--module", LinuxInitrd()}));
  EXPECT_EQ(guest.status, 0) << guest.errors;
  EXPECT_NE(guest.output.find("(XEN) Xen version"), std::string::npos);
  EXPECT_NE(guest.output.find("cpus=1"), std::string::npos) << guest.output;
}

// Interrupts in threads, spin locks that sleep, on more vCPUs than most hosts of tests have cores.
TEST_F(OtherSystemsTest, RealTimeLinuxRunsOnFourVcpus) {
  const auto guest =
      hvctl_.Run(Run(real_time_linux_, "512M", std::string("console=ttyS0 panic=-1 ") + kShowCpus,
                     {"--initrd", LinuxInitrd(), "--cpus", "4"}));
  EXPECT_EQ(guest.status, 0) << guest.errors;
  EXPECT_NE(guest.output.find("PREEMPT_RT"), std::string::npos);
  EXPECT_NE(guest.output.find("cpus=4"), std::string::npos) << guest.output;
  for (const std::string& line : Complaints(guest.output)) {
    ADD_FAILURE() << "the guest's log: " << line;
  }
}

}  // namespace
}  // namespace hv::testing
