// hvd is killed while machines run, and the next one takes them over.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <set>
#include <thread>

#include "integration_tests/harness/hvctl.h"
#include "integration_tests/harness/linux_guest.h"

namespace hv::testing {
namespace {

namespace fs = std::filesystem;

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class HvdTakeoverTest : public ::testing::Test {
 protected:
  ~HvdTakeoverTest() override { hvctl_.Run({"rm", "--force", "vm"}); }

  // Boots to the shell in the background.
  void Boot() {
    auto arguments = RunLinux("vm");
    arguments.push_back("--detach");
    const auto run = hvctl_.Run(arguments);
    ASSERT_EQ(run.status, 0) << run.errors;
    const auto console = hvctl_.Start({"console", "vm", "--all"}, true);
    ASSERT_TRUE(console->Expect(kPrompt));
  }
  void Type(const std::string& line, const std::string& expected) {
    const auto console = hvctl_.Start({"console", "vm"}, true);
    console->Type(line + "\r");
    EXPECT_TRUE(console->Expect(expected));
  }
  // SIGKILL; its processes, of which none is forgotten, are in `processes_`.
  void KillHvd() {
    const pid_t hvd = hvctl_.HvdPid();
    ASSERT_GT(hvd, 0);
    Signal(hvd, SIGSTOP);
    NoteProcesses(hvd);
    Signal(hvd, SIGKILL);
    ASSERT_TRUE(Hvctl::AwaitEnd(hvd));
  }
  void NoteProcesses(pid_t hvd) {
    for (const pid_t pid : Descendants(hvd)) processes_.insert(pid);
  }
  void StartHvd() {
    const auto doctor = hvctl_.Run({"doctor"});
    ASSERT_EQ(doctor.status, 0) << doctor.errors;
  }
  // One of the processes that were noted, alive, of that name.
  pid_t ProcessOf(const std::string& name) {
    for (const pid_t pid : processes_) {
      if (Alive(pid) && ProcessName(pid) == name) return pid;
    }
    ADD_FAILURE() << "no " << name;
    return -1;
  }
  // The pid that `hvctl services` shows.
  pid_t PidOf(const std::string& service) {
    const auto shown = hvctl_.Run({"services", "vm"});
    const size_t line = ("\n" + shown.output).find("\n" + service + " ");
    if (line == std::string::npos) return -1;
    return std::atoi(shown.output.c_str() + line + service.size());
  }
  void ExpectNothingLeft() {
    for (const pid_t pid : processes_) EXPECT_TRUE(Hvctl::AwaitEnd(pid)) << ProcessName(pid);
    EXPECT_FALSE(fs::exists(hvctl_.socket() + ".d/keeper.sock"));
    EXPECT_TRUE(fs::is_empty(hvctl_.socket() + ".d/machines"));
  }
  // Deletes the machine, with which the private hvd ends.
  void RemoveAll() {
    const pid_t hvd = hvctl_.HvdPid();
    NoteProcesses(hvd);
    ASSERT_EQ(hvctl_.Run({"rm", "--force", "vm"}).status, 0);
    EXPECT_TRUE(Hvctl::AwaitEnd(hvd));
    ExpectNothingLeft();
  }

  Hvctl hvctl_;
  std::set<pid_t> processes_;
};

TEST_F(HvdTakeoverTest, TheNextHvdDoesAllThatTheKilledOneDid) {
  Boot();
  const pid_t kernel = PidOf("hv_kernel");
  const pid_t timer = PidOf("timer_svc");
  KillHvd();
  EXPECT_TRUE(Alive(kernel));
  ASSERT_TRUE(Alive(timer));
  Signal(timer, SIGKILL);
  ASSERT_TRUE(Hvctl::AwaitEnd(timer));
  StartHvd();
  EXPECT_TRUE(Contains(hvctl_.Run({"ps"}).output, "running"));
  EXPECT_EQ(PidOf("hv_kernel"), kernel);
  Type("echo alive $((1 + 1))", "alive 2");
  EXPECT_NE(PidOf("timer_svc"), timer);
  EXPECT_TRUE(Contains(hvctl_.Run({"stats", "vm"}).output, "port_write"));
  EXPECT_EQ(hvctl_.Run({"pause", "vm"}).status, 0);
  EXPECT_TRUE(Contains(hvctl_.Run({"inspect", "vm", "--registers"}).output, "rip "));
  EXPECT_EQ(hvctl_.Run({"resume", "vm"}).status, 0);
  Type("echo alive $((2 + 2))", "alive 4");
  NoteProcesses(hvctl_.HvdPid());
  EXPECT_EQ(hvctl_.Run({"stop", "vm", "--grace", "60"}).status, 0);
  EXPECT_EQ(hvctl_.Run({"wait", "vm"}).status, 0) << "it switched itself off";
  RemoveAll();
}

TEST_F(HvdTakeoverTest, NoOutputIsLostOrDoubled) {
  Boot();
  std::string all;
  for (int i = 1; i <= 30000; ++i) all += std::to_string(i) + "\r\n";
  Type("echo go $((1 + 1)); seq 1 30000; echo all $((1 + 1))", "go 2");
  for (int kills = 0; kills < 5; ++kills) {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    KillHvd();
    StartHvd();
  }
  const auto console = hvctl_.Start({"console", "vm", "--all"}, true);
  ASSERT_TRUE(console->Expect("all 2"));
  const std::string& output = console->output();
  EXPECT_TRUE(Contains(output, all)) << output.size() << " bytes";
  RemoveAll();
}

TEST_F(HvdTakeoverTest, AGuestThatSwitchesItselfOffMeanwhileHasDoneSo) {
  Boot();
  Type("(sleep 1; poweroff -f) & echo soon $((1 + 1))", "soon 2");
  KillHvd();
  std::this_thread::sleep_for(std::chrono::seconds(3));
  StartHvd();
  EXPECT_EQ(hvctl_.Run({"wait", "vm"}).status, 0);
  RemoveAll();
}

TEST_F(HvdTakeoverTest, AGuestThatResetsItselfMeanwhileIsStartedAnew) {
  Boot();
  Type("(sleep 1; reboot -f) & echo soon $((1 + 1))", "soon 2");
  KillHvd();
  std::this_thread::sleep_for(std::chrono::seconds(3));
  StartHvd();
  const auto console = hvctl_.Start({"console", "vm", "--all"}, true);
  EXPECT_TRUE(console->Expect("soon 2"));
  EXPECT_TRUE(console->Expect(kPrompt)) << "of the first life";
  EXPECT_TRUE(console->Expect(kPrompt)) << "of the second";
  EXPECT_TRUE(Contains(hvctl_.Run({"inspect", "vm", "--json"}).output, "\"restarts\": 1"));
  RemoveAll();
}

TEST_F(HvdTakeoverTest, ConsoleAndWaitGoOnWithTheNextHvd) {
  Boot();
  const auto wait = hvctl_.Start({"wait", "vm"});
  const auto console = hvctl_.Start({"console", "vm"}, true);
  console->Type("echo ready $((1 + 1))\r");
  ASSERT_TRUE(console->Expect("ready 2"));  // and the other has its connection too
  KillHvd();
  StartHvd();
  console->Type("echo alive $((1 + 1))\r");
  EXPECT_TRUE(console->Expect("alive 2"));
  console->Type("poweroff -f\r");
  EXPECT_EQ(wait->Wait(), 0);
  EXPECT_EQ(console->Wait(), 0);
  RemoveAll();
}

TEST_F(HvdTakeoverTest, RunStartsTheNextHvdItself) {
  const auto run = hvctl_.Start(RunLinux("vm"), true);
  ASSERT_TRUE(run->Expect(kPrompt));
  for (int kills = 0; kills < 3; ++kills) {
    KillHvd();
    while (hvctl_.Run({"ps"}).status != 0) std::this_thread::yield();
    run->Type("echo alive $((1 + 1))\r");
    EXPECT_TRUE(run->Expect("alive 2"));
  }
  const pid_t hvd = hvctl_.HvdPid();
  NoteProcesses(hvd);
  run->Type("poweroff -f\r");
  EXPECT_EQ(run->Wait(), 0);
  EXPECT_TRUE(Hvctl::AwaitEnd(hvd));
  ExpectNothingLeft();
}

TEST_F(HvdTakeoverTest, AnHvdThatIsToldToEndIsNotStartedAgain) {
  const auto run = hvctl_.Start(RunLinux("vm"), true);
  ASSERT_TRUE(run->Expect(kPrompt));
  const pid_t hvd = hvctl_.HvdPid();
  NoteProcesses(hvd);
  Signal(hvd, SIGTERM);
  EXPECT_EQ(run->Wait(), 12);
  EXPECT_TRUE(Hvctl::AwaitEnd(hvd));
  EXPECT_EQ(hvctl_.HvdPid(), -1);
  ExpectNothingLeft();
}

TEST_F(HvdTakeoverTest, AKeeperThatDiesIsReplacedInTime) {
  Boot();
  const pid_t hvd = hvctl_.HvdPid();
  NoteProcesses(hvd);
  const pid_t keeper = ProcessOf("hv_keeper");
  const size_t held = OpenDescriptors(keeper);
  Signal(keeper, SIGKILL);
  ASSERT_TRUE(Hvctl::AwaitEnd(keeper));
  // Until it is there and has been told as much as the one before knew.
  const auto next = [&] {
    for (const pid_t pid : Descendants(hvd)) {
      if (pid == keeper || !Alive(pid) || ProcessName(pid) != "hv_keeper") continue;
      return OpenDescriptors(pid) >= held;
    }
    return false;
  };
  while (!next()) std::this_thread::yield();
  KillHvd();
  StartHvd();
  Type("echo alive $((1 + 1))", "alive 2");
  RemoveAll();
}

TEST_F(HvdTakeoverTest, WithoutHvdAndKeeperEveryPartEndsByItself) {
  Boot();
  KillHvd();
  Signal(ProcessOf("hv_keeper"), SIGKILL);
  for (const pid_t pid : processes_) EXPECT_TRUE(Hvctl::AwaitEnd(pid)) << ProcessName(pid);
  StartHvd();
  EXPECT_EQ(hvctl_.Run({"ps", "--quiet"}).output, "");
  EXPECT_TRUE(fs::is_empty(hvctl_.socket() + ".d/machines"));
}

TEST_F(HvdTakeoverTest, KilledAtAnyTimeOfAMachinesMakingNothingIsLeft) {
  for (int delay_ms = 0; delay_ms <= 200; delay_ms += 10) {
    StartHvd();
    const auto run = hvctl_.Start({"run", "--name", "vm", "--memory", "8", "--detach", "--kernel",
                                   "integration_tests/boot_kernels/legacy_timer.elf"});
    std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
    KillHvd();
    run->Wait();
    StartHvd();
    const pid_t hvd = hvctl_.HvdPid();
    NoteProcesses(hvd);
    hvctl_.Run({"rm", "--force", "vm"});  // if it was made
    const auto machines = hvctl_.Run({"ps", "--quiet"});
    EXPECT_TRUE(machines.output.empty()) << machines.output;
    for (const pid_t pid : processes_) {
      EXPECT_TRUE(ProcessName(pid) == "hv_keeper" || Hvctl::AwaitEnd(pid)) << ProcessName(pid);
    }
    // The private hvd has ended with the machine, if there was one.
    if (Alive(hvd)) Signal(hvd, SIGTERM);
    EXPECT_TRUE(Hvctl::AwaitEnd(hvd));
    ExpectNothingLeft();
  }
}

}  // namespace
}  // namespace hv::testing
