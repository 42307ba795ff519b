#include "cli/show.h"

#include <gtest/gtest.h>

namespace hv::cli {
namespace {

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(ShowTest, MachinesAreATableByName) {
  hv::v1::Machine machine;
  machine.mutable_config()->set_name("web");
  machine.mutable_config()->set_cpus(2);
  machine.mutable_config()->set_memory_bytes(512ull << 20);
  machine.set_state(hv::v1::MACHINE_STATE_STOPPED);
  machine.set_engine("soft");
  machine.mutable_exit()->set_status(33);
  EXPECT_EQ(ShowMachines({machine}, 5'000'000'000),
            "NAME  STATE    FOR  CPUS   MEMORY  ENGINE  NOTE\n"
            "web   stopped  5 s     2  512 MiB  soft    exit 33\n");
}

TEST(ShowTest, DurationsUseOneUnit) {
  constexpr int64_t kSecond = 1'000'000'000;
  EXPECT_EQ(ShowDuration(-5), "0 s");
  EXPECT_EQ(ShowDuration(119 * kSecond), "119 s");
  EXPECT_EQ(ShowDuration(120 * kSecond), "2 min");
  EXPECT_EQ(ShowDuration(3 * 3600 * kSecond), "3 h");
  EXPECT_EQ(ShowDuration(72 * 3600 * kSecond), "3 d");
}

TEST(ShowTest, ServicesShowMapsAndWhatHoldsThem) {
  hv::v1::ListServicesResponse response;
  auto& service = *response.add_services();
  service.set_name("timer_svc");
  service.set_pid(42);
  service.set_state("running");
  service.set_waiting(true);
  service.add_maps("state");
  service.add_maps("channel with ioapic_svc");
  service.add_sandbox("seccomp");
  service.add_sandbox_missing("user namespace: Operation not permitted");
  const std::string text = ShowServices(response);
  EXPECT_TRUE(Contains(text, "maps     state, channel with ioapic_svc"));
  EXPECT_TRUE(Contains(text, "held by  seccomp"));
  EXPECT_TRUE(Contains(text, "missing  user namespace: Operation not permitted"));
  EXPECT_TRUE(Contains(text, "idle"));
}

hv::v1::GetMachineStatsResponse Stats(uint64_t reads, uint64_t halts) {
  hv::v1::GetMachineStatsResponse stats;
  stats.set_engine("soft");
  for (int i = 0; i < 2; ++i) {
    auto& vcpu = *stats.add_vcpus();
    auto& read = *vcpu.add_exits();
    read.set_name("port_read");
    read.set_value(reads);
    auto& halt = *vcpu.add_exits();
    halt.set_name("halt");
    halt.set_value(halts);
    auto& never = *vcpu.add_exits();
    never.set_name("cr8_write");
  }
  return stats;
}

TEST(ShowTest, StatsAreSummedSortedAndWithoutZeros) {
  const std::string text = ShowStats(Stats(10, 500), nullptr, 0, false);
  EXPECT_TRUE(Contains(text, "EXITS      COUNT\nhalt        1000\nport_read     20\n")) << text;
  EXPECT_FALSE(Contains(text, "cr8_write"));
}

TEST(ShowTest, CountedWritesAreTheMachines) {
  auto stats = Stats(10, 500);
  EXPECT_FALSE(Contains(ShowStats(stats, nullptr, 0, false), "counted writes"));
  stats.set_counted_writes(12);
  const std::string text = ShowStats(stats, nullptr, 0, false);
  EXPECT_TRUE(Contains(text, "counted writes     12\n")) << text;
}

TEST(ShowTest, WhatTheEngineCountsIsShownByItself) {
  auto stats = Stats(10, 500);
  auto& blocks = *stats.add_engine_counters();
  blocks.set_name("blocks");
  blocks.set_value(7);
  const std::string text = ShowStats(stats, nullptr, 0, true);
  EXPECT_TRUE(Contains(text, "blocks      7\n")) << text;
  EXPECT_FALSE(Contains(text, "halt"));
  EXPECT_FALSE(Contains(ShowStats(stats, nullptr, 0, false), "blocks"));
}

TEST(ShowTest, WhatThePagerCountsIsShownWhereThereIsOne) {
  auto stats = Stats(10, 500);
  EXPECT_FALSE(Contains(ShowStats(stats, nullptr, 0, false), "PAGING"));
  auto& faults = *stats.add_paging();
  faults.set_name("faults");
  faults.set_value(12);
  EXPECT_TRUE(Contains(ShowStats(stats, nullptr, 0, false), "PAGING  COUNT\nfaults     12\n"));
}

TEST(ShowTest, RatesAreDifferencesOverTime) {
  const auto before = Stats(10, 500);
  const std::string text = ShowStats(Stats(20, 500), &before, 2.0, false);
  EXPECT_TRUE(Contains(text, "port_read     40          10\n")) << text;
}

TEST(ShowTest, CrashShowsRegistersBytesAndExits) {
  hv::v1::Crash crash;
  auto& rip = *crash.mutable_registers()->add_registers();
  rip.set_name("rip");
  rip.set_value(0x7c00);
  crash.set_bytes_at_rip("\x0f\x0b");
  auto& exit = *crash.add_last_exits();
  exit.set_reason("port_write");
  exit.set_address(0x80);
  const std::string text = ShowCrash(crash);
  EXPECT_TRUE(Contains(text, "rip 0000000000007c00"));
  EXPECT_TRUE(Contains(text, "bytes at RIP 0f 0b"));
  EXPECT_TRUE(Contains(text, "port_write       0x80"));
}

TEST(ShowTest, JsonUsesTheNamesOfTheProtocolAndLeavesNothingOut) {
  hv::v1::Machine machine;
  machine.mutable_config()->set_name("vm");
  const std::string json = ShowJson(machine);
  EXPECT_TRUE(Contains(json, "\"created_unix_ns\": \"0\"")) << json;
  EXPECT_TRUE(Contains(json, "\"name\": \"vm\""));
}

}  // namespace
}  // namespace hv::cli
