#include "hvd/virtualization/cpu_facts.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace hv::hvd {
namespace {

std::set<std::string> Words(absl::string_view text) {
  return absl::StrSplit(text, ' ', absl::SkipEmpty());
}

void Take(absl::string_view key, absl::string_view value, CpuFacts& cpu) {
  if (key == "vendor_id") cpu.vendor = std::string(value);
  if (key == "model name") cpu.model = std::string(value);
  if (key == "microcode") cpu.microcode = std::string(value);
  if (key == "flags") cpu.flags = Words(value);
  if (key == "vmx flags") cpu.vmx_flags = Words(value);
  // In this order in the file.
  if (key == "cpu family") cpu.signature = std::string(value);
  if (key == "model" || key == "stepping") absl::StrAppend(&cpu.signature, "-", value);
}

std::vector<std::string> Difference(const std::set<std::string>& from,
                                    const std::set<std::string>& without) {
  std::vector<std::string> rest;
  std::set_difference(from.begin(), from.end(), without.begin(), without.end(),
                      std::back_inserter(rest));
  return rest;
}

std::string HowUnlike(const CpuFacts& first, const CpuFacts& cpu) {
  std::vector<std::string> how;
  const auto compare_flags = [&how](const std::set<std::string>& one,
                                    const std::set<std::string>& other, const char* kind) {
    const auto missing = Difference(one, other), added = Difference(other, one);
    if (!missing.empty())
      how.push_back(absl::StrCat("without ", kind, absl::StrJoin(missing, " ")));
    if (!added.empty()) how.push_back(absl::StrCat("with ", kind, absl::StrJoin(added, " ")));
  };
  if (cpu.vendor != first.vendor) how.push_back(cpu.vendor);
  if (cpu.signature != first.signature) how.push_back(absl::StrCat("model ", cpu.signature));
  if (cpu.microcode != first.microcode) how.push_back(absl::StrCat("microcode ", cpu.microcode));
  compare_flags(first.flags, cpu.flags, "");
  compare_flags(first.vmx_flags, cpu.vmx_flags, "VMX's ");
  return absl::StrJoin(how, ", ");
}

}  // namespace

std::vector<CpuFacts> ParseCpuinfo(absl::string_view text) {
  std::vector<CpuFacts> cpus;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos) continue;
    const absl::string_view key = absl::StripAsciiWhitespace(line.substr(0, colon));
    const absl::string_view value = absl::StripAsciiWhitespace(line.substr(colon + 1));
    unsigned number = 0;
    if (key == "processor" && absl::SimpleAtoi(value, &number)) {
      cpus.push_back({.number = number});
    } else if (!cpus.empty()) {
      Take(key, value, cpus.back());
    }
  }
  return cpus;
}

std::vector<CpuDifference> CpusUnlikeTheFirst(const std::vector<CpuFacts>& cpus) {
  std::map<std::string, std::vector<unsigned>> by_difference;
  for (const CpuFacts& cpu : cpus) {
    std::string how = HowUnlike(cpus.front(), cpu);
    if (!how.empty()) by_difference[std::move(how)].push_back(cpu.number);
  }
  std::vector<CpuDifference> differences;
  for (auto& [how, numbers] : by_difference) {
    std::sort(numbers.begin(), numbers.end());
    differences.push_back({.numbers = std::move(numbers), .how = how});
  }
  return differences;
}

std::string ShowNumbers(const std::vector<unsigned>& numbers) {
  std::string text;
  for (size_t i = 0; i < numbers.size();) {
    size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    absl::StrAppend(&text, text.empty() ? "" : ",", numbers[i]);
    if (last > i) absl::StrAppend(&text, "-", numbers[last]);
    i = last + 1;
  }
  return text;
}

}  // namespace hv::hvd
