#include "cli/machine_exit.h"

#include "absl/strings/str_cat.h"
#include "cli/exit_status.h"
#include "cli/show.h"

namespace hv::cli {

int ExitStatusOf(const hv::v1::MachineExit& exit) {
  switch (exit.cause()) {
    case hv::v1::EXIT_CAUSE_POWER_OFF: return kOk;
    case hv::v1::EXIT_CAUSE_DEBUG_EXIT: return static_cast<int>(exit.status());
    case hv::v1::EXIT_CAUSE_TRIPLE_FAULT:
    case hv::v1::EXIT_CAUSE_UNSUPPORTED: return kGuestCrashed;
    case hv::v1::EXIT_CAUSE_RESET:
    case hv::v1::EXIT_CAUSE_STOPPED: return kStopped;
    default: return kMachineFailed;
  }
}

std::string ExplainExit(const hv::v1::MachineExit& exit) {
  if (exit.cause() == hv::v1::EXIT_CAUSE_POWER_OFF ||
      exit.cause() == hv::v1::EXIT_CAUSE_DEBUG_EXIT) {
    return "";
  }
  std::string text = absl::StrCat("hvctl: ", exit.message(), "\n");
  if (exit.has_crash()) absl::StrAppend(&text, ShowCrash(exit.crash()));
  return text;
}

}  // namespace hv::cli
