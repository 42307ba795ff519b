#include "integration_tests/fault/rounds_machine.h"

#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <cstdio>

namespace hv::testing {
namespace {

constexpr char kKernel[] = "integration_tests/fault/guests/rounds.elf";
constexpr uint32_t kRoundsALine = 256;
constexpr int kDebugExitZero = 1;

template <typename Message>
Message Parse(const Hvctl::Result& said) {
  Message message;
  EXPECT_EQ(said.status, 0) << said.errors;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(said.output, &message).ok())
      << said.output.substr(0, 200);
  return message;
}

}  // namespace

RoundsMachine::RoundsMachine(const std::vector<std::string>& more) {
  // The engine that every host has.
  std::vector<std::string> arguments{"run",      "--name", "vm",           "--engine", "soft",
                                     "--memory", "16M",    "--debug-exit", "--kernel", kKernel};
  arguments.insert(arguments.end(), more.begin(), more.end());
  guest_ = hvctl_.Start(arguments);
  TakeLine();
}

void RoundsMachine::TakeLine() {
  ASSERT_TRUE(guest_->Expect("absent ")) << "the guest stands still";
  ASSERT_TRUE(guest_->Expect("\n"));
  const std::string& output = guest_->output();
  const size_t end = output.find('\n', output.find("absent ", parsed_to_)) + 1;
  const std::string line = output.substr(parsed_to_, end - parsed_to_);
  parsed_to_ = end;
  Progress now;
  ASSERT_EQ(
      std::sscanf(line.c_str(), "round %x ticks %x absent %x", &now.round, &now.ticks, &now.absent),
      3)
      << line;
  EXPECT_EQ(now.round, last_.round + kRoundsALine) << "a line is lost or doubled";
  EXPECT_GE(now.ticks, last_.ticks);
  last_ = now;
}

Progress RoundsMachine::GoOn() {
  // What is there already was said before now.
  guest_->Pump();
  while (guest_->output().find("absent ", parsed_to_) != std::string::npos) TakeLine();
  const uint32_t ticks = last_.ticks;
  TakeLine();
  TakeLine();
  // The first interrupt of a loaded host may take a while.
  for (int line = 0; last_.ticks == ticks && line < 200; ++line) TakeLine();
  EXPECT_GT(last_.ticks, ticks) << "no timer interrupts";
  return last_;
}

uint32_t RoundsMachine::StopRounds() {
  guest_->Type("x");
  uint32_t holes = 0, unexpected = 0;
  EXPECT_TRUE(guest_->Expect("end: ")) << "the guest stands still";
  EXPECT_TRUE(guest_->Expect("\n"));
  const std::string& output = guest_->output();
  EXPECT_EQ(std::sscanf(output.c_str() + output.rfind("end: "), "end: holes read %x unexpected %x",
                        &holes, &unexpected),
            2);
  EXPECT_EQ(unexpected, 0u) << "interrupts that nobody sent";
  return holes;
}

void RoundsMachine::Leave() {
  guest_->Type("x");
  EXPECT_EQ(guest_->Wait(), kDebugExitZero) << guest_->errors();
}

uint32_t RoundsMachine::Set(const std::string& service, const std::string& point,
                            const std::string& action, const std::vector<std::string>& more) {
  std::vector<std::string> arguments{"--json", "fault", "set", "vm",   "--service",
                                     service,  "--at",  point, "--do", action};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return Parse<hv::v1::Fault>(hvctl_.Run(arguments)).id();
}

hv::v1::Fault RoundsMachine::FaultOf(uint32_t id) {
  const auto faults =
      Parse<hv::v1::ListFaultsResponse>(hvctl_.Run({"--json", "fault", "list", "vm"}));
  for (const auto& fault : faults.faults()) {
    if (fault.id() == id) return fault;
  }
  ADD_FAILURE() << "no fault " << id;
  return {};
}

void RoundsMachine::AwaitFired(uint32_t id, uint64_t times) {
  while (!::testing::Test::HasFailure() && FaultOf(id).fired() < times) GoOn();
}

void RoundsMachine::ClearFaults() { EXPECT_EQ(hvctl_.Run({"fault", "clear", "vm"}).status, 0); }

hv::v1::ServiceStatus RoundsMachine::Service(const std::string& name) {
  const auto services =
      Parse<hv::v1::ListServicesResponse>(hvctl_.Run({"--json", "services", "vm"}));
  for (const auto& service : services.services()) {
    if (service.name() == name) return service;
  }
  ADD_FAILURE() << "no service " << name;
  return {};
}

uint64_t RoundsMachine::Refused(const std::string& reason) {
  uint64_t sum = 0;
  const auto add = [&](const auto& counters) {
    for (const hv::v1::Counter& counter : counters) {
      if (reason.empty() || counter.name() == reason) sum += counter.value();
    }
  };
  const auto services =
      Parse<hv::v1::ListServicesResponse>(hvctl_.Run({"--json", "services", "vm"}));
  for (const auto& service : services.services()) add(service.refused_by());
  const auto stats = Parse<hv::v1::GetMachineStatsResponse>(hvctl_.Run({"--json", "stats", "vm"}));
  for (const auto& vcpu : stats.vcpus()) add(vcpu.refused());
  return sum;
}

uint64_t RoundsMachine::HoleReads() {
  return Parse<hv::v1::GuestMemory>(hvctl_.Run({"--json", "memory", "vm"})).hole_reads();
}

}  // namespace hv::testing
