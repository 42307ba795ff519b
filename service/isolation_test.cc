// A real service process, attached and shut in, made to attack from inside its message handler.
#include <unistd.h>

#include <fstream>
#include <set>

#include "abi/message.h"
#include "abi/route_table.h"
#include "gtest/gtest.h"
#include "service/testing/probe.h"
#include "service/testing/sandbox_attempts.h"
#include "service/testing/test_machine.h"
#include "service/testing/test_process.h"

namespace hv::service {
namespace {

class IsolationTest : public testing::Test {
 protected:
  // Segments of others, left open across the exec as a careless supervisor would.
  IsolationTest()
      : other_(ring::CreateSegment("hv-test-other", 4096).value()),
        inherited_(dup(other_.get())),
        control_(process_.Attach(machine_, 1)) {}

  uint64_t Probe(uint64_t address) {
    const hv_access access{.address = address,
                           .data = static_cast<uint64_t>(getpid()),
                           .width = 4,
                           .space = HV_SPACE_PORT};
    machine_.vcpu_thread().Send(HV_KIND_READ, ++tag_, &access, sizeof(access));
    const auto answer = machine_.vcpu_thread().Receive();
    if (!answer || answer->kind != HV_KIND_READ_DONE || answer->tag != tag_) {
      ADD_FAILURE() << "no answer: the service is gone or replaced";
      return 0;
    }
    hv_access_done done;
    std::memcpy(&done, answer->payload, sizeof(done));
    return done.data;
  }

  UniqueFd other_;
  UniqueFd inherited_;  // dup clears close-on-exec
  TestMachine machine_;
  TestProcess process_;
  UniqueFd control_;
  uint32_t tag_ = 0;
};

TEST_F(IsolationTest, NoAttemptWorksFromWithinAMessageHandler) {
  const auto attempts = SandboxAttempts();
  for (size_t i = 0; i < attempts.size() && !HasFailure(); ++i) {
    EXPECT_EQ(Probe(i), static_cast<uint64_t>(attempts[i].refusal)) << attempts[i].name;
  }
}

TEST_F(IsolationTest, NoSegmentCanBeReachedThroughADescriptor) {
  EXPECT_EQ(Probe(kProbeOpenFiles), 0u);
}

TEST_F(IsolationTest, NoMemoryIsMappedButWhatTheManifestNames) {
  Probe(kProbeOpenFiles);  // it is attached and works
  std::ifstream maps("/proc/" + std::to_string(process_.pid()) + "/maps");
  const auto names = machine_.SegmentNames();
  std::multiset<std::string> mapped;
  for (std::string line; std::getline(maps, line);) {
    const size_t name = line.find("/memfd:");
    if (name != std::string::npos) mapped.insert(line.substr(name, line.find(' ', name) - name));
  }
  if (mapped.empty()) GTEST_SKIP() << "the maps of a process that is not dumpable are root's";
  EXPECT_EQ(mapped, std::multiset<std::string>(names.begin(), names.end()));
}

}  // namespace
}  // namespace hv::service
