// What /proc/cpuinfo says of each CPU that is online.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace hv::hvd {

struct CpuFacts {
  unsigned number = 0;
  std::string vendor;     // "GenuineIntel"
  std::string model;      // "model name"
  std::string signature;  // family, model, stepping: "6-167-1"
  std::string microcode;
  std::set<std::string> flags;      // "svm", "npt", ...
  std::set<std::string> vmx_flags;  // "ept", ...; Linux shows them since 5.9, on Intel
};

// Lines that make no sense are passed over.
std::vector<CpuFacts> ParseCpuinfo(absl::string_view text);

// CPUs that are unlike the first in the same way.
struct CpuDifference {
  std::vector<unsigned> numbers;  // ascending
  std::string how;                // "without npt, microcode 0x2"
};
std::vector<CpuDifference> CpusUnlikeTheFirst(const std::vector<CpuFacts>& cpus);

// {0, 1, 2, 5} is "0-2,5". REQUIRES: ascending.
std::string ShowNumbers(const std::vector<unsigned>& numbers);

}  // namespace hv::hvd
