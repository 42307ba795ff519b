#include "cli/fault_command.h"

#include <google/protobuf/util/json_util.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/exit_status.h"
#include "cli/show.h"
#include "hvd/faults/fault_names.h"
#include "proto/hv/v1/fault.grpc.pb.h"

namespace hv::cli {
namespace {

using FaultStub = hv::v1::FaultInjection::Stub;

constexpr double kDefaultRate = 10;
constexpr double kDefaultSeconds = 10;

void Print(const std::string& text) { std::fputs(text.c_str(), stdout); }

// "timer" is timer_svc.
std::string ProcessName(const std::string& typed) {
  return absl::StrContains(typed, '_') ? typed : absl::StrCat(typed, "_svc");
}

template <typename Request, typename Response>
absl::StatusOr<Response> Call(HvdClient& client,
                              grpc::Status (FaultStub::*method)(grpc::ClientContext*,
                                                                const Request&, Response*),
                              const Request& request) {
  const auto stub = hv::v1::FaultInjection::NewStub(client.channel());
  grpc::ClientContext context;
  Response response;
  const grpc::Status status = ((*stub).*method)(&context, request, &response);
  if (!status.ok()) return FromGrpc(status);
  return response;
}

absl::Status Unknown(const char* what, const std::string& name) {
  return absl::InvalidArgumentError(
      absl::StrCat(what, " '", name, "': there is none of that name; --help lists them"));
}

absl::StatusOr<int> Set(HvdClient& client, const Options& options) {
  const FaultOptions& typed = options.fault;
  hv::v1::SetFaultRequest request;
  request.set_name(options.name);
  hv::v1::Fault& fault = *request.mutable_fault();
  fault.set_service(ProcessName(typed.service));
  fault.set_point(hvd::PointNamed(typed.point));
  if (fault.point() == hv::v1::FAULT_POINT_UNSPECIFIED) return Unknown("point", typed.point);
  fault.set_action(hvd::ActionNamed(typed.action));
  if (fault.action() == hv::v1::FAULT_ACTION_UNSPECIFIED) return Unknown("action", typed.action);
  const bool once = typed.every == 0 && typed.rate == 0;
  fault.set_every(once ? std::max<uint64_t>(typed.nth, 1) : typed.every);
  fault.set_times(once ? 1 : typed.times);
  fault.set_rate(typed.rate);
  fault.set_seed(typed.seed);
  fault.set_kind(typed.kind);
  fault.set_argument(typed.argument);
  const auto set = Call(client, &FaultStub::SetFault, request);
  if (!set.ok()) return set.status();
  if (options.json) {
    Print(ShowJson(*set));
  } else if (set->id() != 0) {
    Print(absl::StrCat("fault ", set->id(), "\n"));
  }
  return kOk;
}

absl::StatusOr<int> List(HvdClient& client, const Options& options) {
  hv::v1::ListFaultsRequest request;
  request.set_name(options.name);
  const auto faults = Call(client, &FaultStub::ListFaults, request);
  if (!faults.ok()) return faults.status();
  Print(options.json ? ShowJson(*faults) : ShowFaults(*faults));
  return kOk;
}

absl::StatusOr<int> Clear(HvdClient& client, const Options& options) {
  hv::v1::ClearFaultsRequest request;
  request.set_name(options.name);
  request.mutable_ids()->Add(options.fault.ids.begin(), options.fault.ids.end());
  const auto cleared = Call(client, &FaultStub::ClearFaults, request);
  if (!cleared.ok()) return cleared.status();
  if (options.json) Print(ShowJson(*cleared));
  return kOk;
}

// The injections among the lines that chaos --json has printed.
absl::Status ReadReplay(const std::string& path, hv::v1::ChaosRequest& request) {
  std::ifstream file(path);
  if (!file) {
    return absl::NotFoundError(absl::StrCat("replay ", path, ": it cannot be read"));
  }
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    hv::v1::ChaosReport report;
    if (!google::protobuf::util::JsonStringToMessage(line, &report).ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "replay ", path, ", line ", number, ": is not what hvctl fault chaos --json prints"));
    }
    if (report.has_injection()) *request.add_replay() = report.injection();
  }
  if (!request.replay().empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("replay ", path, ": has no injection"));
}

absl::StatusOr<hv::v1::ChaosRequest> ChaosRequestOf(const Options& options) {
  const FaultOptions& typed = options.fault;
  hv::v1::ChaosRequest request;
  request.set_name(options.name);
  if (!typed.replay.empty()) {
    if (auto status = ReadReplay(typed.replay, request); !status.ok()) return status;
    return request;
  }
  request.set_seed(typed.seed);
  request.set_rate(typed.rate != 0 ? typed.rate : kDefaultRate);
  const double seconds = typed.seconds != 0 ? typed.seconds : kDefaultSeconds;
  if (!(seconds > 0)) {
    return absl::InvalidArgumentError(absl::StrCat("duration ", seconds, ": has to be above 0"));
  }
  request.set_duration_ms(static_cast<uint64_t>(seconds * 1000));
  for (const auto& name : typed.services) request.add_services(ProcessName(name));
  for (const auto& name : typed.actions) {
    request.add_actions(hvd::ActionNamed(name));
    if (hvd::ActionNamed(name) == hv::v1::FAULT_ACTION_UNSPECIFIED) return Unknown("action", name);
  }
  for (const auto& name : typed.points) {
    request.add_points(hvd::PointNamed(name));
    if (hvd::PointNamed(name) == hv::v1::FAULT_POINT_UNSPECIFIED) return Unknown("point", name);
  }
  return request;
}

// A line for each report as it comes.
void PrintReport(const hv::v1::ChaosReport& report, bool json) {
  if (json) {
    Print(ShowJsonLine(report));
  } else if (report.has_injection()) {
    Print(ShowInjection(report.injection()));
  } else {
    Print(ShowChaosSummary(report.summary()));
  }
  std::fflush(stdout);
}

absl::StatusOr<int> RunChaos(HvdClient& client, const Options& options) {
  const auto request = ChaosRequestOf(options);
  if (!request.ok()) return request.status();
  const auto stub = hv::v1::FaultInjection::NewStub(client.channel());
  grpc::ClientContext context;
  const auto reader = stub->RunChaos(&context, *request);
  hv::v1::ChaosReport report;
  while (reader->Read(&report)) PrintReport(report, options.json);
  const grpc::Status status = reader->Finish();
  if (!status.ok()) return FromGrpc(status);
  return report.summary().cut_short().empty() ? kOk : kRefused;
}

}  // namespace

absl::StatusOr<int> InjectFaults(const std::string& verb, HvdClient& client,
                                 const Options& options) {
  if (verb == "set") return Set(client, options);
  if (verb == "clear") return Clear(client, options);
  if (verb == "chaos") return RunChaos(client, options);
  return List(client, options);
}

}  // namespace hv::cli
