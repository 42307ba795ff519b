// What `work/run` shows of the programs that it has run, taken apart and compared.
#pragma once

#include <map>
#include <string>

namespace hv::testing {

struct Ended {
  std::string output;  // of both streams, in their order
  std::string status;
};

// By name. Lines between reports, and what a terminal adds to the ends of lines, are left out; so
// is a report without its end, or that is damaged.
std::map<std::string, Ended> ReadReports(const std::string& console);

// Empty if both are the same; else the first lines that are not, and how many bytes there are of
// each.
std::string Difference(const std::string& host, const std::string& guest);

}  // namespace hv::testing
