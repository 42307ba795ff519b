#include "integration_tests/programs/program_report.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace hv::testing {
namespace {

constexpr size_t kLinesShown = 5;

}  // namespace

std::map<std::string, Ended> ReadReports(const std::string& console) {
  std::map<std::string, Ended> reports;
  std::string name, encoded;
  for (const absl::string_view raw : absl::StrSplit(console, '\n')) {
    const absl::string_view line = absl::StripAsciiWhitespace(raw);
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    if (words.size() == 2 && words[0] == "begin") {
      name = words[1];
      encoded.clear();
    } else if (words.size() == 3 && words[0] == "end" && words[1] == name) {
      Ended ended{.output = {}, .status = words[2]};
      if (absl::Base64Unescape(encoded, &ended.output)) reports[name] = ended;
      name.clear();
    } else {
      absl::StrAppend(&encoded, line);
    }
  }
  return reports;
}

std::string Difference(const std::string& host, const std::string& guest) {
  if (host == guest) return {};
  const std::vector<std::string> wanted = absl::StrSplit(host, '\n');
  const std::vector<std::string> got = absl::StrSplit(guest, '\n');
  const size_t both = std::min(wanted.size(), got.size());
  size_t first = 0;
  while (first < both && wanted[first] == got[first]) ++first;
  std::string shown = absl::StrCat(host.size(), " bytes on the host, ", guest.size(),
                                   " in the guest; from line ", first + 1, "\n");
  for (size_t i = first; i < std::min(first + kLinesShown, std::max(wanted.size(), got.size()));
       ++i) {
    absl::StrAppend(&shown, "  host:  ", i < wanted.size() ? wanted[i] : "(nothing)", "\n");
    absl::StrAppend(&shown, "  guest: ", i < got.size() ? got[i] : "(nothing)", "\n");
  }
  return shown;
}

}  // namespace hv::testing
