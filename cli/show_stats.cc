// The counters of `hvctl stats`: summed over vCPUs, most frequent first.
#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/show.h"
#include "cli/table.h"

namespace hv::cli {
namespace {

using Sums = std::map<std::string, uint64_t>;
using Counters = google::protobuf::RepeatedPtrField<hv::v1::Counter>;

template <typename Select>
Sums SumOf(const hv::v1::GetMachineStatsResponse& stats, Select select) {
  Sums sums;
  for (const auto& vcpu : stats.vcpus()) {
    for (const auto& counter : select(vcpu)) sums[counter.name()] += counter.value();
  }
  return sums;
}

// One row for each counter that is not 0, most frequent first.
class Section {
 public:
  Section(const char* title, bool rates, double seconds)
      : rates_(rates),
        seconds_(seconds),
        table_(rates ? std::vector<std::string>{title, "COUNT>", "PER SECOND>"}
                     : std::vector<std::string>{title, "COUNT>"}) {}

  void Add(const Sums& now, const Sums& before) {
    std::vector<std::pair<std::string, uint64_t>> sorted(now.begin(), now.end());
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    for (const auto& [name, value] : sorted) {
      if (value == 0) continue;
      const auto earlier = before.find(name);
      Row(name, value, earlier == before.end() ? 0 : earlier->second);
    }
  }
  std::string Show() const { return table_.Show(); }

 private:
  void Row(const std::string& name, uint64_t now, uint64_t before) {
    std::vector<std::string> row{name, absl::StrCat(now)};
    if (rates_) {
      const double rate = now >= before ? static_cast<double>(now - before) / seconds_ : 0;
      row.push_back(absl::StrFormat("%.0f", rate));
    }
    table_.Add(std::move(row));
  }

  const bool rates_;
  const double seconds_;
  Table table_;
};

Sums SumOf(const Counters& counters) {
  Sums sums;
  for (const auto& counter : counters) sums[counter.name()] += counter.value();
  return sums;
}

}  // namespace

std::string ShowStats(const hv::v1::GetMachineStatsResponse& stats,
                      const hv::v1::GetMachineStatsResponse* before, double seconds,
                      bool of_engine) {
  const hv::v1::GetMachineStatsResponse none;
  const auto& earlier = before != nullptr ? *before : none;
  std::string text = absl::StrCat("engine ", stats.engine(), ", ", stats.vcpus_size(), " vCPU",
                                  stats.vcpus_size() == 1 ? "" : "s", "\n");
  const auto section = [&](const char* title, const Sums& now, const Sums& then) {
    Section rows(title, before != nullptr, seconds);
    rows.Add(now, then);
    absl::StrAppend(&text, "\n", rows.Show());
  };
  const auto by_vcpu = [&](const char* title, auto select) {
    section(title, SumOf(stats, select), SumOf(earlier, select));
  };
  if (of_engine) {
    section("ENGINE", SumOf(stats.engine_counters()), SumOf(earlier.engine_counters()));
    return text;
  }
  using Vcpu = hv::v1::VcpuCounters;
  by_vcpu("EXITS", [](const Vcpu& vcpu) -> const Counters& { return vcpu.exits(); });
  by_vcpu("ANSWERED BY", [](const Vcpu& vcpu) -> const Counters& { return vcpu.requests(); });
  by_vcpu("POSTED TO", [](const Vcpu& vcpu) -> const Counters& { return vcpu.posted(); });
  by_vcpu("REFUSED", [](const Vcpu& vcpu) -> const Counters& { return vcpu.refused(); });
  const auto events = [](const hv::v1::GetMachineStatsResponse& from) {
    Sums sums{{"counted writes", from.counted_writes()}};
    for (const auto& vcpu : from.vcpus()) {
      sums["interrupts"] += vcpu.interrupts();
      sums["NMIs"] += vcpu.nmis();
      sums["halts slept"] += vcpu.halts_slept();
    }
    return sums;
  };
  section("EVENTS", events(stats), events(earlier));
  // None: the host pages guest RAM.
  if (stats.paging_size() > 0) section("PAGING", SumOf(stats.paging()), SumOf(earlier.paging()));
  return text;
}

}  // namespace hv::cli
