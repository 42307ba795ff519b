// Faults and campaigns.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/show.h"
#include "cli/table.h"
#include "hvd/faults/fault_names.h"

namespace hv::cli {
namespace {

std::string When(const hv::v1::Fault& fault) {
  if (fault.every() == 0) {
    return absl::StrFormat("chance %g, seed %d", fault.rate(), fault.seed());
  }
  if (fault.times() == 1) return absl::StrCat("pass ", fault.every());
  return absl::StrCat("every ", fault.every());
}

}  // namespace

std::string ShowFaults(const hv::v1::ListFaultsResponse& faults) {
  Table table({"ID>", "SERVICE", "AT", "DO", "VALUE>", "WHEN", "KIND", "PASSES>", "FIRED>"});
  for (const auto& fault : faults.faults()) {
    table.Add({absl::StrCat(fault.id()), fault.service(), hvd::PointName(fault.point()),
               hvd::ActionName(fault.action()), absl::StrCat(fault.argument()), When(fault),
               fault.kind().empty() ? "any" : fault.kind(), absl::StrCat(fault.passes()),
               fault.times() > 1 ? absl::StrCat(fault.fired(), "/", fault.times())
                                 : absl::StrCat(fault.fired())});
  }
  return table.Show();
}

std::string ShowInjection(const hv::v1::Injection& injection) {
  return absl::StrFormat(
      "%10.3f s  %-10s  %-18s  %s%s\n", static_cast<double>(injection.at_us()) / 1e6,
      injection.service(),
      injection.point() == hv::v1::FAULT_POINT_NOW
          ? hvd::PointName(injection.point())
          : absl::StrCat(hvd::PointName(injection.point()), " ", injection.nth()),
      hvd::ActionName(injection.action()), injection.fired() ? "" : "  (not reached)");
}

std::string ShowChaosSummary(const hv::v1::ChaosSummary& summary) {
  std::string text = absl::StrCat(summary.injections(), " injections, ", summary.fired(), " fired");
  Table table({"SERVICE", "REPLACED>"});
  for (const auto& [service, replaced] :
       std::map<std::string, uint32_t>(summary.replaced().begin(), summary.replaced().end())) {
    table.Add({service, absl::StrCat(replaced)});
  }
  if (!summary.cut_short().empty()) absl::StrAppend(&text, "; cut short: ", summary.cut_short());
  return absl::StrCat(text, "\n", table.Show());
}

}  // namespace hv::cli
