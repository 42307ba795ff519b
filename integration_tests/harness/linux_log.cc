#include "integration_tests/harness/linux_log.h"

#include <algorithm>
#include <sstream>

namespace hv::testing {
namespace {

// What Linux says when interrupt controllers, timers or ACPI tables are not as they should be.
const char* const kComplaints[] = {
    "lost interrupt",     "nobody cared", "unstable", "mp-bios bug", "bug:",       "error",
    "no address or irqs", "not counting", "spurious", "warning:",    "call trace", "stall",
    "firmware bug"};
// Lines that have such a word and complain of nothing.
const char* const kHarmless[] = {
    "report a bug",  // how to report one
    "Error Record Serialization",
    "ERST:",
    // No word on the platform, and true: this guest cannot flush or restrict branch predictors
    // (docs/decisions/008-branch-predictors.md). AMD's and Intel's.
    "hw-vuln/srso.html",
    "RETBleed: WARNING: Spectre v2 mitigation leaves CPU vulnerable",
    "RAS: Correctable Errors collector initialized",
};

}  // namespace

std::vector<std::string> Complaints(const std::string& log) {
  std::vector<std::string> found;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    const auto has = [&](const char* text) { return line.find(text) != std::string::npos; };
    if (std::any_of(std::begin(kHarmless), std::end(kHarmless), has)) continue;
    std::string lower = line;
    std::transform(lower.begin(), lower.end(), lower.begin(), ::tolower);
    for (const char* complaint : kComplaints) {
      if (lower.find(complaint) != std::string::npos) found.push_back(line);
    }
  }
  return found;
}

}  // namespace hv::testing
