// hv_kernel is the one part that is not replaced: its death ends its machine, and that one alone.
#include <gtest/gtest.h>

#include <algorithm>

#include "integration_tests/harness/hvctl.h"

namespace hv::testing {
namespace {

constexpr char kKernel[] = "integration_tests/fault/guests/rounds.elf";
constexpr int kPartFailed = 10;  // hvctl(1)

class KernelFaults : public ::testing::Test {
 protected:
  std::unique_ptr<Child> Run(const std::string& name) {
    auto guest = hvctl_.Start({"run", "--name", name, "--memory", "16M", "--kernel", kKernel});
    EXPECT_TRUE(guest->Expect("round "));
    return guest;
  }
  std::vector<pid_t> Processes() const {
    auto all = Descendants(hvctl_.HvdPid());
    std::sort(all.begin(), all.end());
    return all;
  }
  Hvctl hvctl_;
};

TEST_F(KernelFaults, ItsDeathEndsItsMachineAndNoOther) {
  for (const char* action : {"kill", "segv", "abort"}) {
    SCOPED_TRACE(action);
    const auto other = Run("other");
    const auto before = Processes();
    const auto victim = Run("victim");
    EXPECT_GT(Processes().size(), before.size());
    const auto set = hvctl_.Run(
        {"fault", "set", "victim", "--service", "hv_kernel", "--at", "now", "--do", action});
    EXPECT_EQ(set.status, 0) << set.errors;
    EXPECT_EQ(victim->Wait(), kPartFailed);
    EXPECT_NE(victim->errors().find("hv_kernel killed by signal"), std::string::npos)
        << victim->errors();
    EXPECT_TRUE(other->Expect("round "));
    EXPECT_EQ(Processes(), before) << "what the machine had is given back";
    EXPECT_EQ(hvctl_.Run({"ps", "--quiet"}).output, "other\n");
    EXPECT_EQ(hvctl_.Run({"rm", "--force", "other"}).status, 0);
    other->Wait();
  }
}

TEST_F(KernelFaults, ItTakesFaultsFromOutsideAlone) {
  const auto guest = Run("vm");
  const auto set = hvctl_.Run(
      {"fault", "set", "vm", "--service", "hv_kernel", "--at", "after-commit", "--do", "kill"});
  EXPECT_NE(set.status, 0);
  EXPECT_NE(set.errors.find("service 'hv_kernel': the machine has vcpu_svc"), std::string::npos)
      << set.errors;
  EXPECT_TRUE(guest->Expect("round "));
}

}  // namespace
}  // namespace hv::testing
