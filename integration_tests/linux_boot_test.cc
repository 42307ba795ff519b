// Debian's Linux from hvctl run to a shell and to power off, and what its log says of the platform.
#include <gtest/gtest.h>

#include "integration_tests/harness/hvctl.h"
#include "integration_tests/harness/linux_guest.h"
#include "integration_tests/harness/linux_log.h"

namespace hv::testing {
namespace {

TEST(LinuxBootTest, ComplaintsAreFound) {
  EXPECT_EQ(Complaints("[ 1.0] tsc: Marking TSC unstable due to clocksource watchdog\r\n").size(),
            1u);
  EXPECT_EQ(Complaints("[ 1.0] irq 4: nobody cared (try booting with irqpoll)\n").size(), 1u);
  EXPECT_TRUE(Complaints("[ 1.0] Run /init as init process\n").empty());
}

TEST(LinuxBootTest, ShellRunsCommandsAndPoweringOffEndsEverything) {
  const Hvctl hvctl;
  const auto guest = hvctl.Start(RunLinux("vm"), true);
  ASSERT_TRUE(guest->Expect(kPrompt));
  const pid_t hvd = hvctl.HvdPid();
  ASSERT_GT(hvd, 0);
  EXPECT_FALSE(Descendants(hvd).empty());
  guest->Type("echo the sum is $((6 * 7))\r");
  ASSERT_TRUE(guest->Expect("the sum is 42"));
  guest->Type("dmesg | tail -n +1 > /tmp/log; wc -l < /tmp/log; echo logged\r");
  ASSERT_TRUE(guest->Expect("logged"));
  guest->Type("poweroff\r");
  EXPECT_EQ(guest->Wait(), 0);
  const auto complaints = Complaints(guest->output());
  for (const std::string& line : complaints) ADD_FAILURE() << "the guest's log: " << line;
  // A private hvd ends with its last machine, and takes the socket along.
  EXPECT_TRUE(Hvctl::AwaitEnd(hvd));
  EXPECT_EQ(hvctl.HvdPid(), -1);
}

TEST(LinuxBootTest, ConsoleLosesNothingEitherWay) {
  const Hvctl hvctl;
  const auto guest = hvctl.Start(RunLinux("vm"), true);
  ASSERT_TRUE(guest->Expect(kPrompt));
  // Out: 20,000 numbered lines. In: 500 lines faster than the guest reads them.
  guest->Type(
      "i=0; while [ $i -lt 20000 ]; do echo line $i of many; i=$((i+1)); done; echo done with "
      "it\r");
  ASSERT_TRUE(guest->Expect("\ndone with it"));
  size_t at = 0;
  for (int i = 0; i < 20000; ++i) {
    at = guest->output().find("\nline " + std::to_string(i) + " of many\r", at);
    ASSERT_NE(at, std::string::npos) << "line " << i << " is missing";
  }
  guest->Type("stty -echo; echo ready $((1 + 1)); cat > /tmp/typed\r");
  ASSERT_TRUE(guest->Expect("\nready 2\r\n"));
  std::string typed, shown;
  for (int i = 0; i < 500; ++i) {
    typed += "typed line " + std::to_string(i) + "\r";
    shown += "typed line " + std::to_string(i) + "\r\n";
  }
  guest->Type(typed + "\x04" + "stty echo; echo; cat /tmp/typed; echo typed $((1 + 1))\r");
  ASSERT_TRUE(guest->Expect("\ntyped 2\r\n"));
  EXPECT_NE(guest->output().find("\n" + shown + "typed 2\r\n"), std::string::npos);
  guest->Type("poweroff\r");
  EXPECT_EQ(guest->Wait(), 0);
}

TEST(LinuxBootTest, LeavingTheConsoleLeavesTheGuestRunning) {
  const Hvctl hvctl;
  const auto guest = hvctl.Start(RunLinux("vm"), true);
  ASSERT_TRUE(guest->Expect(kPrompt));
  guest->Type("\x1d");
  EXPECT_EQ(guest->Wait(), 0);
  const auto again = hvctl.Start({"console", "vm"}, true);
  again->Type("\recho back with $((40 + 2))\r");
  ASSERT_TRUE(again->Expect("back with 42"));
  again->Type("poweroff\r");
  EXPECT_EQ(again->Wait(), 0);
  EXPECT_EQ(hvctl.Run({"wait", "vm"}).status, 0);
  EXPECT_EQ(hvctl.Run({"rm", "vm"}).status, 0);
}

}  // namespace
}  // namespace hv::testing
