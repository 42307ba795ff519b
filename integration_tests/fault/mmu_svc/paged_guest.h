// A guest whose memory mmu_svc pages, on each engine for which this host lets it.
#pragma once

#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "integration_tests/engines/engines.h"
#include "integration_tests/harness/hvctl.h"
#include "proto/hv/v1/machine.pb.h"

namespace hv::testing {

constexpr int kDebugExitZero = 1;

inline bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// The machine is "vm". The parameter is the engine.
class PagedGuest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const auto engine = engines::MakeEngine(GetParam());
    if (absl::IsFailedPrecondition(engine.status())) GTEST_SKIP() << engine.status().message();
    const std::string found = Doctor("demand paging");
    const bool permitted = Contains(found, "both engines") ||
                           (Contains(found, "soft alone") && GetParam() == std::string("soft"));
    if (!permitted) GTEST_SKIP() << "SKIPPED: " << found;
  }
  ~PagedGuest() override { hvctl_.Run({"rm", "--force", "vm"}); }

  // What it says of a topic.
  std::string Doctor(const std::string& topic) const {
    const auto doctor = hvctl_.Run({"doctor"}).output;
    const size_t begin = doctor.find(topic);
    EXPECT_NE(begin, std::string::npos) << topic;
    return begin == std::string::npos ? "" : doctor.substr(begin, doctor.find('\n', begin) - begin);
  }
  std::vector<std::string> RunArguments(const std::string& kernel) const {
    return {"run",  "--name",   "vm",     "--engine",     GetParam(), "--memory",
            "512M", "--paging", "demand", "--debug-exit", "--kernel", kernel};
  }
  void Do(const std::string& action) {
    const auto set =
        hvctl_.Run({"fault", "set", "vm", "--service", "mmu_svc", "--at", "now", "--do", action});
    // There may be none at the moment.
    EXPECT_TRUE(set.status == 0 || Contains(set.errors, "being replaced")) << set.errors;
  }
  template <typename Answer>
  Answer Ask(std::vector<std::string> command) {
    command.insert(command.begin(), "--json");
    const auto said = hvctl_.Run(command);
    Answer answer;
    EXPECT_EQ(said.status, 0) << said.errors;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(said.output, &answer).ok());
    return answer;
  }
  hv::v1::MemoryPaging Paging() { return Ask<hv::v1::GuestMemory>({"memory", "vm"}).paging(); }
  // Of the process that serves at the moment, as `hvctl services` shows it.
  pid_t PidOf(const std::string& name) {
    const auto services = Ask<hv::v1::ListServicesResponse>({"services", "vm"});
    for (const auto& service : services.services()) {
      if (service.name() == name) return service.pid();
    }
    return -1;
  }

  Hvctl hvctl_;
};

}  // namespace hv::testing
