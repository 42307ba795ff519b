// Debian's Linux on several vCPUs, more of them than the host has cores included.
#include <gtest/gtest.h>

#include <sstream>

#include "integration_tests/harness/hvctl.h"
#include "integration_tests/harness/linux_guest.h"
#include "integration_tests/harness/linux_log.h"

namespace hv::testing {
namespace {

constexpr char kData[] = "head -c 2000000 /dev/zero | tr '\\0' ";

std::string HostDigest(int filling) {
  Child sum({"/bin/sh", "-c", kData + std::to_string(filling) + " | sha256sum"}, false);
  sum.CloseInput();
  EXPECT_EQ(sum.Wait(), 0);
  return sum.output().substr(0, 64);
}

struct Machine {
  const char* name;
  int cpus;
  const char* translation_cache;
};

class LinuxSmpTest : public ::testing::TestWithParam<Machine> {};

TEST_P(LinuxSmpTest, EveryVcpuTakesPart) {
  const int cpus = GetParam().cpus;
  const Hvctl hvctl;
  auto command = RunLinux("vm");
  command.insert(command.end(), {"--cpus", std::to_string(cpus), "--translation-cache",
                                 GetParam().translation_cache});
  const auto guest = hvctl.Start(command, true);
  ASSERT_TRUE(guest->Expect(kPrompt));
  guest->Type("echo there are $(nproc) of them\r");
  ASSERT_TRUE(guest->Expect("there are " + std::to_string(cpus) + " of them"));
  // On each of them, by affinity, and as many at once as there are: the same digests as here.
  std::ostringstream work;
  for (int cpu = 0; cpu < cpus; ++cpu) {
    work << "(taskset " << std::hex << (1 << cpu) << std::dec << " sh -c \"" << kData << cpu % 10
         << " | sha256sum > /tmp/d" << cpu << "\") &\r";
  }
  work << "wait; echo; cat /tmp/d*; echo all $((1 + 1)) done\r";
  guest->Type(work.str());
  ASSERT_TRUE(guest->Expect("\nall 2 done"));
  for (int cpu = 0; cpu < cpus; ++cpu) {
    EXPECT_NE(guest->output().find("\n" + HostDigest(cpu % 10)), std::string::npos) << cpu;
  }
  // Timer ticks on each.
  guest->Type(
      "awk '/LOC:/ { n = 0; for (i = 2; i <= NF && $i ~ /^[0-9]+$/; i++) n += $i > 0;"
      " print \"ticking\", n }' /proc/interrupts\r");
  EXPECT_TRUE(guest->Expect("\nticking " + std::to_string(cpus)));
  guest->Type("poweroff -f\r");
  EXPECT_EQ(guest->Wait(), 0);
  for (const std::string& line : Complaints(guest->output())) {
    ADD_FAILURE() << "the guest's log: " << line;
  }
}

INSTANTIATE_TEST_SUITE_P(Vcpus, LinuxSmpTest,
                         ::testing::Values(Machine{"Two", 2, "64M"}, Machine{"Four", 4, "64M"},
                                           Machine{"Eight", 8, "64M"},
                                           // Always short of room for code.
                                           Machine{"TwoWithLittleCode", 2, "2M"}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace hv::testing
