// A machine's whole life through hvctl, as scripts drive it.
#include <gtest/gtest.h>

#include <set>

#include "integration_tests/harness/hvctl.h"
#include "integration_tests/harness/linux_guest.h"

namespace hv::testing {
namespace {

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class ControlTest : public ::testing::Test {
 protected:
  // Boots to the shell in the background.
  void Boot() {
    auto arguments = RunLinux("vm");
    arguments.push_back("--detach");
    const auto run = hvctl_.Run(arguments);
    ASSERT_EQ(run.status, 0) << run.errors;
    EXPECT_EQ(run.output, "vm\n");
    const auto console = hvctl_.Start({"console", "vm", "--all"}, true);
    ASSERT_TRUE(console->Expect(kPrompt));
  }
  Hvctl hvctl_;
};

TEST_F(ControlTest, EveryPartIsAProcessUnderItsName) {
  Boot();
  std::multiset<std::string> names;
  for (const pid_t pid : Descendants(hvctl_.HvdPid())) names.insert(ProcessName(pid));
  for (const char* name :
       {"hv_kernel", "vcpu_svc", "mmu_svc", "ioapic_svc", "timer_svc", "serial_svc", "power_svc"}) {
    EXPECT_GE(names.count(name), 1u) << name;
  }
  const auto services = hvctl_.Run({"services", "vm"});
  EXPECT_EQ(services.status, 0) << services.errors;
  for (const char* text : {"hv_kernel", "timer_svc", "channel with ioapic_svc", "seccomp"}) {
    EXPECT_TRUE(Contains(services.output, text)) << text << " is not in\n" << services.output;
  }
}

TEST_F(ControlTest, PausedGuestsStandStillAndGoOn) {
  Boot();
  ASSERT_EQ(hvctl_.Run({"pause", "vm"}).status, 0);
  EXPECT_TRUE(Contains(hvctl_.Run({"ps"}).output, "paused"));
  EXPECT_EQ(hvctl_.Run({"pause", "vm"}).status, 0);  // idempotent
  const auto first = hvctl_.Run({"inspect", "vm", "--registers"});
  EXPECT_TRUE(Contains(first.output, "rip ")) << first.output << first.errors;
  ASSERT_EQ(hvctl_.Run({"resume", "vm"}).status, 0);
  const auto console = hvctl_.Start({"console", "vm"}, true);
  console->Type("echo alive $((1 + 1))\r");
  EXPECT_TRUE(console->Expect("alive 2"));
}

TEST_F(ControlTest, StatsCountExitsByReasonAndService) {
  Boot();
  const auto stats = hvctl_.Run({"stats", "vm"});
  EXPECT_EQ(stats.status, 0) << stats.errors;
  for (const char* text : {"EXITS", "port_write", "ANSWERED BY", "serial_svc", "timer_svc"}) {
    EXPECT_TRUE(Contains(stats.output, text)) << text << " is not in\n" << stats.output;
  }
  const auto json = hvctl_.Run({"stats", "vm", "--json"});
  EXPECT_TRUE(Contains(json.output, "\"vcpus\": ["));
}

TEST_F(ControlTest, ServicesAreReplacedOnRequestWhileTheGuestRuns) {
  Boot();
  for (const char* service :
       {"vcpu_svc", "mmu_svc", "ioapic_svc", "timer_svc", "serial_svc", "power_svc"}) {
    const auto replaced = hvctl_.Run({"replace", "vm", service});
    EXPECT_EQ(replaced.status, 0) << service << replaced.errors;
  }
  EXPECT_EQ(hvctl_.Run({"replace", "vm", "hv_kernel"}).status, 4);
  EXPECT_EQ(hvctl_.Run({"replace", "vm", "disk_svc"}).status, 4);
  const auto services = hvctl_.Run({"services", "vm", "--json"});
  size_t second_epochs = 0;
  for (size_t at = 0; (at = services.output.find("\"epoch\": 2", at)) != std::string::npos; ++at) {
    ++second_epochs;
  }
  EXPECT_EQ(second_epochs, 6u) << services.output;
  const auto console = hvctl_.Start({"console", "vm"}, true);
  console->Type("echo alive $((1 + 1))\r");
  EXPECT_TRUE(console->Expect("alive 2"));
}

TEST_F(ControlTest, AStoppedMachineStartsFromPowerOn) {
  Boot();
  ASSERT_EQ(hvctl_.Run({"stop", "vm", "--force"}).status, 0);
  ASSERT_EQ(hvctl_.Run({"start", "vm"}).status, 0);
  const auto console = hvctl_.Start({"console", "vm", "--all"}, true);
  for (const char* life : {"first", "second"}) {
    EXPECT_TRUE(console->Expect("Linux version")) << life;
    EXPECT_TRUE(console->Expect(kPrompt)) << life;
  }
  EXPECT_EQ(hvctl_.Run({"start", "vm"}).status, 4);  // it runs
}

TEST_F(ControlTest, StoppedMachinesAreGone) {
  Boot();
  const auto parts = Parts(hvctl_.HvdPid());
  ASSERT_EQ(hvctl_.Run({"stop", "vm", "--force"}).status, 0);
  for (const pid_t pid : parts) EXPECT_FALSE(Alive(pid)) << pid;
  EXPECT_TRUE(Contains(hvctl_.Run({"ps"}).output, "stopped"));
  EXPECT_EQ(hvctl_.Run({"wait", "vm"}).status, 12);
  EXPECT_EQ(hvctl_.Run({"services", "vm"}).status, 4);
  ASSERT_EQ(hvctl_.Run({"rm", "vm"}).status, 0);
  EXPECT_EQ(hvctl_.Run({"inspect", "vm"}).status, 6);  // the private hvd has gone with it
}

TEST_F(ControlTest, PowerButtonEndsAGuestThatListens) {
  Boot();
  ASSERT_EQ(hvctl_.Run({"stop", "vm", "--grace", "60"}).status, 0);
  EXPECT_EQ(hvctl_.Run({"wait", "vm"}).status, 0);  // it switched itself off
}

TEST_F(ControlTest, AGuestThatDoesNotListenToItsPowerButtonIsEnded) {
  Boot();
  const auto console = hvctl_.Start({"console", "vm"}, true);
  console->Type("killall acpid; echo deaf $((1 + 1))\r");
  ASSERT_TRUE(console->Expect("deaf 2"));
  ASSERT_EQ(hvctl_.Run({"stop", "vm", "--grace", "1"}).status, 0);
  EXPECT_EQ(hvctl_.Run({"wait", "vm"}).status, 12);
}

TEST_F(ControlTest, DoctorAndVersionAnswer) {
  const auto doctor = hvctl_.Run({"doctor"});
  EXPECT_EQ(doctor.status, 0) << doctor.errors;
  EXPECT_TRUE(Contains(doctor.output, "engine auto is ")) << doctor.output;
  const auto version = hvctl_.Run({"version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_TRUE(Contains(version.output, "hvd   "));
}

}  // namespace
}  // namespace hv::testing
