// What Linux's log says of the platform it runs on.
#pragma once

#include <string>
#include <vector>

namespace hv::testing {

// Its lines that complain of interrupt controllers, timers, ACPI tables or a processor that stands
// still.
std::vector<std::string> Complaints(const std::string& log);

}  // namespace hv::testing
