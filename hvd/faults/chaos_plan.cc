#include "hvd/faults/chaos_plan.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hvd/faults/fault_names.h"
#include "hvd/faults/fault_plan.h"
#include "service/random_bits.h"

namespace hv::hvd {
namespace {

using hv::v1::FaultAction;
using hv::v1::FaultPoint;

constexpr double kHighestRate = 1000;
constexpr uint64_t kLongestMs = 24ull * 3600 * 1000;
constexpr double kUsPerSecond = 1e6;
// A point is passed so often at most before the fault: an idle service passes few.
constexpr uint64_t kMostPasses = 4;
constexpr uint64_t kDelayNs = 5'000'000;
constexpr uint64_t kStuckNs = 20'000'000;
constexpr uint64_t kHighestStatus = 255;

// The numbers of one campaign, one after the other.
class Dice {
 public:
  explicit Dice(uint64_t seed) : seed_(seed) {}
  uint64_t Bits() { return service::RandomBits(seed_, next_++); }
  uint64_t Below(uint64_t bound) { return Bits() % bound; }
  template <typename T>
  const T& OneOf(const std::vector<T>& all) {
    return all[Below(all.size())];
  }
  // Above 0, at most 1.
  double Fraction() { return (static_cast<double>(Bits() >> 11) + 1) * 0x1p-53; }

 private:
  const uint64_t seed_;
  uint64_t next_ = 0;
};

absl::Status CheckNumbers(const hv::v1::ChaosRequest& request) {
  if (!(request.rate() > 0 && request.rate() <= kHighestRate)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "rate ", request.rate(), ": injections a second, above 0 and at most ", kHighestRate));
  }
  if (request.duration_ms() == 0 || request.duration_ms() > kLongestMs) {
    return absl::InvalidArgumentError(
        absl::StrCat("duration_ms ", request.duration_ms(), ": 1 to ", kLongestMs));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ChooseServices(const hv::v1::ChaosRequest& request,
                                                        const std::vector<std::string>& all) {
  for (const std::string& wanted : request.services()) {
    if (std::find(all.begin(), all.end(), wanted) != all.end()) continue;
    return absl::NotFoundError(
        absl::StrCat("service '", wanted, "': the machine has ", absl::StrJoin(all, ", ")));
  }
  if (request.services().empty()) return all;
  return std::vector<std::string>(request.services().begin(), request.services().end());
}

// Each action with the points at which it may come.
struct Choice {
  FaultAction action;
  std::vector<FaultPoint> points;
};

absl::StatusOr<std::vector<Choice>> ChooseFaults(const hv::v1::ChaosRequest& request) {
  std::vector<FaultAction> actions;
  for (const int action : request.actions()) actions.push_back(static_cast<FaultAction>(action));
  if (actions.empty()) actions.push_back(hv::v1::FAULT_ACTION_KILL);
  std::vector<Choice> choices;
  for (const FaultAction action : actions) {
    Choice choice{.action = action, .points = {}};
    for (const FaultPoint point : PointsOf(action)) {
      const bool wanted = request.points().empty() ||
                          std::find(request.points().begin(), request.points().end(), point) !=
                              request.points().end();
      if (wanted) choice.points.push_back(point);
    }
    if (choice.points.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("action ", ActionName(action), ": it can be at none of the points given"));
    }
    choices.push_back(std::move(choice));
  }
  return choices;
}

uint64_t ArgumentOf(FaultAction action, Dice& dice) {
  switch (action) {
    case hv::v1::FAULT_ACTION_EXIT: return dice.Below(kHighestStatus + 1);
    case hv::v1::FAULT_ACTION_DELAY: return 1 + dice.Below(kDelayNs);
    case hv::v1::FAULT_ACTION_STICK: return 1 + dice.Below(kStuckNs);
    default: return 0;
  }
}

absl::StatusOr<std::vector<hv::v1::Injection>> PlanReplay(const hv::v1::ChaosRequest& request,
                                                          const std::vector<std::string>& all) {
  std::vector<hv::v1::Injection> plan(request.replay().begin(), request.replay().end());
  for (hv::v1::Injection& injection : plan) {
    injection.clear_fired();
    if (std::find(all.begin(), all.end(), injection.service()) == all.end()) {
      return absl::NotFoundError(absl::StrCat("service '", injection.service(),
                                              "': the machine has ", absl::StrJoin(all, ", ")));
    }
    const absl::Status status = injection.point() == hv::v1::FAULT_POINT_NOW
                                    ? SignalOf(injection.action()).status()
                                    : PlanOf(FaultOf(injection)).status();
    if (!status.ok()) return status;
  }
  std::stable_sort(plan.begin(), plan.end(),
                   [](const auto& a, const auto& b) { return a.at_us() < b.at_us(); });
  return plan;
}

}  // namespace

absl::StatusOr<std::vector<hv::v1::Injection>> PlanChaos(const hv::v1::ChaosRequest& request,
                                                         const std::vector<std::string>& all) {
  if (!request.replay().empty()) return PlanReplay(request, all);
  if (auto status = CheckNumbers(request); !status.ok()) return status;
  const auto services = ChooseServices(request, all);
  if (!services.ok()) return services.status();
  const auto choices = ChooseFaults(request);
  if (!choices.ok()) return choices.status();
  Dice dice(request.seed());
  std::vector<hv::v1::Injection> plan;
  const double end_us = static_cast<double>(request.duration_ms()) * 1000;
  // Independent of each other: the times between them are distributed exponentially.
  const auto wait_us = [&] { return -std::log(dice.Fraction()) / request.rate() * kUsPerSecond; };
  double at_us = wait_us();
  while (at_us < end_us) {
    hv::v1::Injection& injection = plan.emplace_back();
    injection.set_at_us(static_cast<uint64_t>(at_us));
    injection.set_service(dice.OneOf(*services));
    const Choice& choice = dice.OneOf(*choices);
    injection.set_action(choice.action);
    injection.set_point(dice.OneOf(choice.points));
    injection.set_nth(1 + dice.Below(kMostPasses));
    injection.set_seed(dice.Bits());
    injection.set_argument(ArgumentOf(choice.action, dice));
    at_us += wait_us();
  }
  return plan;
}

hv::v1::Fault FaultOf(const hv::v1::Injection& injection) {
  hv::v1::Fault fault;
  fault.set_service(injection.service());
  fault.set_point(injection.point());
  fault.set_action(injection.action());
  fault.set_every(std::max<uint64_t>(injection.nth(), 1));
  fault.set_times(1);
  fault.set_seed(injection.seed());
  fault.set_argument(injection.argument());
  return fault;
}

}  // namespace hv::hvd
