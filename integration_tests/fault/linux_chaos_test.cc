// Debian's Linux while its services die: a boot with a kill every 10 ms, and half a minute of work.
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "integration_tests/harness/hvctl.h"
#include "integration_tests/harness/linux_guest.h"
#include "integration_tests/harness/linux_log.h"
#include "proto/hv/v1/fault.pb.h"
#include "proto/hv/v1/machine.pb.h"

namespace hv::testing {
namespace {

const char* const kServices[] = {"vcpu_svc",  "mmu_svc",    "ioapic_svc",
                                 "timer_svc", "serial_svc", "power_svc"};
constexpr uint32_t kLeastKills = 200;
constexpr size_t kLinesOfOtherThreads = 8;

// By service, how many processes were replaced so far.
std::map<std::string, uint32_t> Replaced(const Hvctl& hvctl) {
  hv::v1::ListServicesResponse services;
  const auto said = hvctl.Run({"--json", "services", "vm"});
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(said.output, &services).ok())
      << said.errors;
  std::map<std::string, uint32_t> replaced;
  for (const auto& service : services.services()) replaced[service.name()] = service.epoch() - 1;
  return replaced;
}

bool EnoughReplaced(const std::map<std::string, uint32_t>& replaced) {
  uint32_t all = 0;
  for (const auto& [service, count] : replaced) all += count;
  return all >= kLeastKills &&
         std::none_of(std::begin(kServices), std::end(kServices), [&](const char* name) {
           const auto found = replaced.find(name);
           return found == replaced.end() || found->second == 0;
         });
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// A line of the kernel's log without its time.
std::string WithoutTime(const std::string& line) {
  static const std::regex time(R"(^\[ *\d+\.\d+\] )");
  return std::regex_replace(line, time, "");
}

// Up to the prompt, without times.
std::vector<std::string> BootLog(const std::string& output) {
  std::vector<std::string> log;
  for (const std::string& line : Lines(output.substr(0, output.find(kPrompt)))) {
    log.push_back(WithoutTime(line));
  }
  return log;
}

// The longest list of lines that both have, in order.
std::vector<std::string> Common(const std::vector<std::string>& a,
                                const std::vector<std::string>& b) {
  std::vector<std::vector<uint32_t>> length(a.size() + 1, std::vector<uint32_t>(b.size() + 1));
  for (size_t i = a.size(); i-- > 0;) {
    for (size_t j = b.size(); j-- > 0;) {
      length[i][j] =
          a[i] == b[j] ? length[i + 1][j + 1] + 1 : std::max(length[i + 1][j], length[i][j + 1]);
    }
  }
  std::vector<std::string> common;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i] == b[j]) {
      common.push_back(a[i]);
      ++i;
      ++j;
    } else if (length[i + 1][j] >= length[i][j + 1]) {
      ++i;
    } else {
      ++j;
    }
  }
  return common;
}

// A line with its numbers made alike: what a guest measures differs from boot to boot.
std::string WithoutNumbers(const std::string& line) {
  static const std::regex number("[0-9a-f]*[0-9][0-9a-f]*");
  return std::regex_replace(line, number, "N");
}
std::set<std::string> WithoutNumbers(const std::vector<std::string>& lines) {
  std::set<std::string> without;
  for (const std::string& line : lines) without.insert(WithoutNumbers(line));
  return without;
}

TEST(LinuxChaosTest, LinesCommonToTwoLogsAreFound) {
  EXPECT_EQ(Common({"a", "x", "b", "c"}, {"a", "b", "y", "c"}),
            (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(WithoutTime("[    1.234567] Linux"), "Linux");
  EXPECT_EQ(WithoutNumbers(std::string("tsc: 2445.4 MHz at 0xbee1")), "tsc: N.N MHz at NxN");
}

// Its init works until a line is typed.
std::vector<std::string> RunHeldLinux() { return RunLinux("vm", "hold=1"); }
constexpr char kHolding[] = "hv: holding";

std::string BootUndisturbed() {
  const Hvctl hvctl;
  const auto guest = hvctl.Start(RunHeldLinux(), true);
  EXPECT_TRUE(guest->Expect(kHolding));
  guest->Type("\r");
  EXPECT_TRUE(guest->Expect(kPrompt));
  guest->Type("poweroff -f\r");
  EXPECT_EQ(guest->Wait(), 0);
  return guest->output();
}

// What two undisturbed boots have in common is what the guest says whatever happens.
TEST(LinuxChaosTest, ABootWithAKillEvery10MsSaysWhatEveryBootSays) {
  const std::vector<std::string> first = BootLog(BootUndisturbed());
  const std::vector<std::string> second = BootLog(BootUndisturbed());

  const Hvctl hvctl;
  const auto guest = hvctl.Start(RunHeldLinux(), true);
  ASSERT_TRUE(guest->Expect("Linux version"));
  const auto chaos = hvctl.Start({"fault", "chaos", "vm", "--seed", "20", "--rate", "100", "--at",
                                  "now", "--duration", "600"});
  // However fast it has come so far: it goes on when there were kills enough.
  ASSERT_TRUE(guest->Expect(kHolding));
  while (Alive(guest->pid()) && !EnoughReplaced(Replaced(hvctl))) {
  }
  guest->Type("\r");
  ASSERT_TRUE(guest->Expect(kPrompt));
  guest->Type("echo still $((40 + 2))\r");
  EXPECT_TRUE(guest->Expect("still 42"));
  guest->Type("poweroff -f\r");
  EXPECT_EQ(guest->Wait(), 0);

  const std::vector<std::string> disturbed = BootLog(guest->output());
  const std::vector<std::string> sure = Common(first, second);
  std::multiset<std::string> there(disturbed.begin(), disturbed.end());
  for (const std::string& line : sure) {
    const auto place = there.find(line);
    EXPECT_NE(place, there.end()) << "missing: " << line;
    if (place != there.end()) there.erase(place);
  }
  // In order, but for a few lines of kernel threads that run beside the rest (the initramfs is
  // unpacked by one).
  EXPECT_GE(Common(sure, disturbed).size() + kLinesOfOtherThreads, sure.size());
  std::set<std::string> usual = WithoutNumbers(first);
  usual.merge(WithoutNumbers(second));
  for (const std::string& line : disturbed) {
    EXPECT_TRUE(usual.contains(WithoutNumbers(line))) << "only with kills: " << line;
  }
}

constexpr int kLoadSeconds = 30;
constexpr uint64_t kTicksASecond = 250;  // CONFIG_HZ of Debian's kernel

// Prints its lines as fast as the console goes, with digests between them.
std::string LoadScript() {
  std::ostringstream script;
  script
      << "ticks() { awk '/LOC:/ {print $2}' /proc/interrupts; }\n"
      << "up() { cut -d. -f1 /proc/uptime; }\n"
      << "stty -echo; t=$(ticks); u=$(up); n=0; i=0; echo begin $((1 + 1))\n"
      << "while [ $(($(up) - u)) -lt " << kLoadSeconds << " ]; do\n"
      << "  d=$(head -c 65536 /dev/zero | tr '\\0' $((n % 10)) | sha256sum | cut -c1-64)\n"
      << "  echo digest $((n % 10)) $d\n"
      << "  j=0; while [ $j -lt 40 ]; do echo line $i of many; i=$((i + 1)); j=$((j + 1)); done\n"
      << "  n=$((n + 1))\n"
      << "done; echo; echo done lines $i seconds $(($(up) - u)) ticks $(($(ticks) - t))\n";
  std::string typed = script.str();
  std::replace(typed.begin(), typed.end(), '\n', '\r');
  return typed;
}

std::string HostDigest(char filling) {
  Child sum({"/bin/sh", "-c",
             std::string("head -c 65536 /dev/zero | tr '\\0' ") + filling + " | sha256sum"},
            false);
  sum.CloseInput();
  EXPECT_EQ(sum.Wait(), 0);
  return sum.output().substr(0, 64);
}

TEST(LinuxChaosTest, WorkGoesOnWithoutALostLineWhileEveryServiceDiesAgainAndAgain) {
  const Hvctl hvctl;
  const auto guest = hvctl.Start(RunLinux("vm"), true);
  ASSERT_TRUE(guest->Expect(kPrompt));
  guest->Type(LoadScript());
  ASSERT_TRUE(guest->Expect("\nbegin 2"));
  const auto begin = std::chrono::steady_clock::now();
  const auto chaos = hvctl.Start({"fault", "chaos", "vm", "--seed", "30", "--rate", "20", "--do",
                                  "kill,segv,exit,stop,hang", "--duration", "600"});
  ASSERT_TRUE(guest->Expect("\ndone lines "));
  const std::chrono::duration<double> host = std::chrono::steady_clock::now() - begin;
  auto replaced = Replaced(hvctl);
  for (const char* service : kServices) EXPECT_GT(replaced[service], 5u) << service;
  ASSERT_TRUE(guest->Expect(kPrompt));
  guest->Type("poweroff -f\r");
  EXPECT_EQ(guest->Wait(), 0);

  const std::string& output = guest->output();
  unsigned lines = 0, seconds = 0, ticks = 0;
  ASSERT_EQ(std::sscanf(output.c_str() + output.find("\ndone lines ") + 1,
                        "done lines %u seconds %u ticks %u", &lines, &seconds, &ticks),
            3);
  unsigned next = 0;
  uint32_t digests = 0;
  std::map<char, std::string> digest_of;
  for (std::string line : Lines(output)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.starts_with("line ")) {
      ASSERT_EQ(line, "line " + std::to_string(next) + " of many");
      ++next;
    } else if (line.starts_with("digest ")) {
      const char filling = line[7];
      if (!digest_of.contains(filling)) digest_of[filling] = HostDigest(filling);
      ASSERT_EQ(line, std::string("digest ") + filling + " " + digest_of[filling]);
      ++digests;
    }
  }
  EXPECT_EQ(next, lines);
  EXPECT_GT(digests, 10u);
  // Its clock is the host's, and an interrupt for each tick of it came at most; a busy guest whose
  // host has other things to do gets fewer.
  EXPECT_NEAR(seconds, host.count(), 3);
  EXPECT_LE(ticks, (seconds + 2) * kTicksASecond * 2);
  EXPECT_GE(ticks, seconds * kTicksASecond / 4);
  for (const std::string& line : Complaints(output)) ADD_FAILURE() << "the guest's log: " << line;
}

}  // namespace
}  // namespace hv::testing
