#include "hvd/faults/fault_plan.h"

#include <signal.h>

#include <cmath>

#include "abi/message.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hvd/faults/fault_names.h"
#include "service/kind_name.h"

namespace hv::hvd {
namespace {

using hv::v1::FaultAction;
using hv::v1::FaultPoint;

static_assert(int{hv::v1::FAULT_POINT_CONTROL} == int{HV_FAULT_POINT_CONTROL} &&
              int{HV_FAULT_POINT_CONTROL} + 1 == int{HV_FAULT_POINT_COUNT});
static_assert(int{hv::v1::FAULT_ACTION_DEADLOCK} == int{HV_FAULT_ACTION_DEADLOCK} &&
              int{HV_FAULT_ACTION_DEADLOCK} + 1 == int{HV_FAULT_ACTION_COUNT});

constexpr uint64_t kHighestStatus = 255;
constexpr double kRateOne = 0x1p32;
constexpr uint64_t kLongestNs = 3'600'000'000'000;  // an hour

bool IsOfStep(FaultAction action) {
  return (action >= hv::v1::FAULT_ACTION_KILL && action <= hv::v1::FAULT_ACTION_OUT_OF_MEMORY) ||
         action == hv::v1::FAULT_ACTION_DEADLOCK;
}
bool IsForgery(FaultAction action) {
  return action >= hv::v1::FAULT_ACTION_FORGE_STAMP && action <= hv::v1::FAULT_ACTION_FORGE_BIT;
}

absl::Status CheckArgument(const hv::v1::Fault& fault) {
  const uint64_t argument = fault.argument();
  switch (fault.action()) {
    case hv::v1::FAULT_ACTION_EXIT:
      if (argument <= kHighestStatus) return absl::OkStatus();
      return absl::InvalidArgumentError(
          absl::StrCat("argument ", argument, ": an exit status is 0 to ", kHighestStatus));
    case hv::v1::FAULT_ACTION_DELAY:
      if (argument > 0 && argument <= kLongestNs) return absl::OkStatus();
      return absl::InvalidArgumentError(
          absl::StrCat("argument ", argument, ": a delay is 1 to ", kLongestNs, " ns"));
    case hv::v1::FAULT_ACTION_STICK:
      if (argument <= kLongestNs) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrCat(
          "argument ", argument, ": to be stuck is up to ", kLongestNs, " ns, or 0 for ever"));
    default:
      if (argument == 0) return absl::OkStatus();
      return absl::InvalidArgumentError(
          absl::StrCat("argument ", argument, ": ", ActionName(fault.action()), " takes none"));
  }
}

absl::Status CheckPasses(const hv::v1::Fault& fault) {
  if ((fault.every() == 0) == (fault.rate() == 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("every ", fault.every(), " and rate ", fault.rate(),
                     ": one of the two says which passes are meant, the other is 0"));
  }
  if (!(fault.rate() >= 0 && fault.rate() <= 1)) {  // also if it is no number
    return absl::InvalidArgumentError(
        absl::StrCat("rate ", fault.rate(), ": a chance is above 0 and at most 1"));
  }
  return absl::OkStatus();
}

absl::StatusOr<uint16_t> KindOf(const hv::v1::Fault& fault) {
  if (fault.kind().empty()) return uint16_t{HV_KIND_NONE};
  if (fault.point() == hv::v1::FAULT_POINT_WAKE || fault.point() == hv::v1::FAULT_POINT_TURN ||
      fault.point() == hv::v1::FAULT_POINT_CONTROL) {
    return absl::InvalidArgumentError(absl::StrCat("kind ", fault.kind(), ": at point ",
                                                   PointName(fault.point()),
                                                   " there is no message in hand"));
  }
  if (const auto kind = service::KindNamed(fault.kind())) return *kind;
  return absl::InvalidArgumentError(absl::StrCat(
      "kind '", fault.kind(), "': kinds are named as in abi/message.h, e.g. READ or LINE"));
}

}  // namespace

bool CanBeAt(FaultAction action, FaultPoint point) {
  switch (point) {
    case hv::v1::FAULT_POINT_AFTER_RECEIVE:
    case hv::v1::FAULT_POINT_BEFORE_COMMIT:
    case hv::v1::FAULT_POINT_AFTER_COMMIT:
    case hv::v1::FAULT_POINT_MID_PUBLISH:
    case hv::v1::FAULT_POINT_BEFORE_ACKNOWLEDGE:
    case hv::v1::FAULT_POINT_CONTROL: return IsOfStep(action);
    case hv::v1::FAULT_POINT_SEND: return IsForgery(action);
    case hv::v1::FAULT_POINT_WAKE:
      return action == hv::v1::FAULT_ACTION_DROP_WAKE || action == hv::v1::FAULT_ACTION_DOUBLE_WAKE;
    case hv::v1::FAULT_POINT_TURN: return action == hv::v1::FAULT_ACTION_STICK;
    case hv::v1::FAULT_POINT_NOW: return SignalOf(action).ok();
    default: return false;
  }
}

std::vector<FaultPoint> PointsOf(FaultAction action) {
  std::vector<FaultPoint> points;
  for (int point = hv::v1::FaultPoint_MIN; point <= hv::v1::FaultPoint_MAX; ++point) {
    if (hv::v1::FaultPoint_IsValid(point) && CanBeAt(action, static_cast<FaultPoint>(point))) {
      points.push_back(static_cast<FaultPoint>(point));
    }
  }
  return points;
}

absl::StatusOr<int> SignalOf(FaultAction action) {
  switch (action) {
    case hv::v1::FAULT_ACTION_KILL: return SIGKILL;
    case hv::v1::FAULT_ACTION_STOP: return SIGSTOP;
    case hv::v1::FAULT_ACTION_SEGV: return SIGSEGV;
    case hv::v1::FAULT_ACTION_ABORT: return SIGABRT;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("action ", ActionName(action),
                       ": now, from outside, a process can be hit by kill, stop, segv and abort"));
  }
}

absl::StatusOr<hv_fault> PlanOf(const hv::v1::Fault& fault) {
  if (!CanBeAt(fault.action(), fault.point())) {
    std::vector<std::string> points;
    for (const FaultPoint point : PointsOf(fault.action())) points.push_back(PointName(point));
    return absl::InvalidArgumentError(
        absl::StrCat("action ", ActionName(fault.action()), " at point ", PointName(fault.point()),
                     ": it can be at ", points.empty() ? "none" : absl::StrJoin(points, ", ")));
  }
  if (auto status = CheckArgument(fault); !status.ok()) return status;
  if (auto status = CheckPasses(fault); !status.ok()) return status;
  const auto kind = KindOf(fault);
  if (!kind.ok()) return kind.status();
  hv_fault plan{};
  plan.point = static_cast<uint16_t>(fault.point());
  plan.action = static_cast<uint16_t>(fault.action());
  plan.kind = *kind;
  plan.times = fault.times();
  plan.every = fault.every();
  plan.rate = static_cast<uint64_t>(std::ceil(fault.rate() * kRateOne));
  plan.seed = fault.seed();
  plan.argument = fault.argument();
  return plan;
}

hv::v1::Fault ShowPlan(const hv_fault& plan) {
  hv::v1::Fault shown;
  shown.set_id(plan.id);
  shown.set_point(static_cast<FaultPoint>(plan.point));
  shown.set_action(static_cast<FaultAction>(plan.action));
  shown.set_every(plan.every);
  shown.set_rate(static_cast<double>(plan.rate) / kRateOne);
  shown.set_seed(plan.seed);
  shown.set_times(plan.times);
  if (plan.kind != HV_KIND_NONE) shown.set_kind(service::KindName(plan.kind));
  shown.set_argument(plan.argument);
  shown.set_passes(plan.passes);
  shown.set_fired(plan.fired);
  return shown;
}

}  // namespace hv::hvd
