#include "cli/commands.h"

#include <chrono>
#include <cstdio>
#include <thread>

#include "abi/version.h"
#include "absl/strings/str_cat.h"
#include "cli/completion.h"
#include "cli/console_command.h"
#include "cli/ending_signals.h"
#include "cli/exit_status.h"
#include "cli/fault_command.h"
#include "cli/hvd_client.h"
#include "cli/machine_exit.h"
#include "cli/machine_watch.h"
#include "cli/man_page.h"
#include "cli/memory_command.h"
#include "cli/private_hvd.h"
#include "cli/show.h"
#include "hvd/host/locations.h"
#include "hvd/version.h"

namespace hv::cli {
namespace {

using StatusOrExit = absl::StatusOr<int>;

// How long an hvd may take from its claim of the socket to listening, or from its last machine's
// end to its own.
constexpr std::chrono::seconds kHandOverTimeout{10};
constexpr std::chrono::milliseconds kHandOverPoll{20};

int64_t NowUnixNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void Print(const std::string& text) { std::fputs(text.c_str(), stdout); }

// An answer as JSON or as `show` makes it readable.
template <typename Response, typename Show>
StatusOrExit Answer(const absl::StatusOr<Response>& response, const Options& options, Show show) {
  if (!response.ok()) return response.status();
  Print(options.json ? ShowJson(*response) : show(*response));
  return kOk;
}

// A call about one machine whose answer, the machine, is of interest as JSON alone.
template <typename Request>
StatusOrExit Change(HvdClient& client, const Options& options, const Request& request,
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                 hv::v1::Machine*)) {
  return Answer(client.Call(method, request), options,
                [](const hv::v1::Machine&) { return std::string(); });
}

template <typename Request>
Request About(const Options& options) {
  Request request;
  request.set_name(options.name);
  return request;
}

StatusOrExit ListMachines(HvdClient& client, const Options& options) {
  const auto show = [&](const hv::v1::ListMachinesResponse& response) {
    if (!options.quiet) {
      return ShowMachines({response.machines().begin(), response.machines().end()}, NowUnixNs());
    }
    std::string names;
    for (const auto& machine : response.machines()) {
      absl::StrAppend(&names, machine.config().name(), "\n");
    }
    return names;
  };
  return Answer(client.Call(&Stub::List, hv::v1::ListMachinesRequest()), options, show);
}

StatusOrExit Inspect(HvdClient& client, const Options& options) {
  if (!options.translate.empty()) return Translate(client, options);
  auto request = About<hv::v1::GetMachineRequest>(options);
  request.set_registers(options.registers);
  request.set_memory(options.show_memory);
  return Answer(client.Call(&Stub::Get, request), options,
                [](const hv::v1::GetMachineResponse& response) {
                  return ShowMachine(response, NowUnixNs());
                });
}

StatusOrExit Stop(HvdClient& client, const Options& options) {
  auto request = About<hv::v1::StopMachineRequest>(options);
  request.set_grace_seconds(options.force ? 0 : options.grace_seconds);
  return Change(client, options, request, &Stub::Stop);
}

StatusOrExit Remove(HvdClient& client, const Options& options) {
  auto request = About<hv::v1::DeleteMachineRequest>(options);
  request.set_force(options.force);
  return Answer(client.Call(&Stub::Delete, request), options,
                [](const hv::v1::DeleteMachineResponse&) { return std::string(); });
}

StatusOrExit ReplaceService(HvdClient& client, const Options& options) {
  auto request = About<hv::v1::ReplaceServiceRequest>(options);
  request.set_service(options.service);
  return Answer(client.Call(&Stub::ReplaceService, request), options,
                [](const hv::v1::ReplaceServiceResponse&) { return std::string(); });
}

StatusOrExit Wait(HvdClient& client, const Options& options) {
  MachineWatch watch(client, options.name, [] {});
  const auto exit = watch.Wait();
  if (!exit.ok()) return exit.status();
  if (options.json) {
    Print(ShowJson(*exit));
  } else {
    std::fputs(ExplainExit(*exit).c_str(), stderr);
  }
  return ExitStatusOf(*exit);
}

StatusOrExit Stats(HvdClient& client, const Options& options) {
  const auto request = About<hv::v1::GetMachineStatsRequest>(options);
  const auto first = client.Call(&Stub::GetStats, request);
  if (options.interval_seconds <= 0 || !first.ok()) {
    return Answer(first, options, [&](const hv::v1::GetMachineStatsResponse& stats) {
      return ShowStats(stats, nullptr, 0, options.of_engine);
    });
  }
  const auto begin = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(std::chrono::duration<double>(options.interval_seconds));
  const auto second = client.Call(&Stub::GetStats, request);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  return Answer(second, options, [&](const hv::v1::GetMachineStatsResponse& stats) {
    return ShowStats(stats, &*first, elapsed.count(), options.of_engine);
  });
}

// Needs no hvd; says what is there of it.
int Version(const Options& options) {
  hv::v1::GetVersionResponse hvd;
  bool reached = false;
  if (auto client = HvdClient::Connect(options.socket); client.ok()) {
    auto response = client->Call(&Stub::GetVersion, hv::v1::GetVersionRequest());
    reached = response.ok();
    if (reached) hvd = *std::move(response);
  }
  if (options.json) {
    Print(absl::StrCat("{\n \"hvctl\": \"", hvd::kVersion,
                       "\",\n \"hvd\": ", reached ? ShowJson(hvd) : "null\n", "}\n"));
    return kOk;
  }
  Print(absl::StrCat("hvctl ", hvd::kVersion, ", ABI ", HV_ABI_MAJOR, ".", HV_ABI_MINOR, "\n"));
  Print(reached ? absl::StrCat("hvd   ", hvd.version(), ", ABI ", hvd.abi_major(), ".",
                               hvd.abi_minor(), ", at ", options.socket, "\n")
                : absl::StrCat("hvd   not running at ", options.socket, "\n"));
  return kOk;
}

absl::StatusOr<HvdClient> ConnectOrStart(const Options& options) {
  const auto deadline = std::chrono::steady_clock::now() + kHandOverTimeout;
  for (;;) {
    auto client = HvdClient::Connect(options.socket);
    if (!absl::IsNotFound(client.status())) return client;
    const auto program = hvd::Executables(options.libexec).Find("hvd");
    if (!program.ok()) return program.status();
    const auto started = StartPrivateHvd(*program, options.socket, options.libexec);
    if (started.ok()) return HvdClient::Connect(options.socket);
    const bool in_time = std::chrono::steady_clock::now() < deadline;
    if (!absl::IsAlreadyExists(started) || !in_time) return started;
    std::this_thread::sleep_for(kHandOverPoll);
  }
}

// An hvd that ends with its last machine may do so while this one is asked for: another takes its
// place.
StatusOrExit Run(HvdClient client, Options& options, int signals) {
  if (auto status = CompleteConfig(options); !status.ok()) return status;
  const auto deadline = std::chrono::steady_clock::now() + kHandOverTimeout;
  absl::Status created = CreateMachine(client, options);
  while (absl::IsUnavailable(created) && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kHandOverPoll);
    auto next = ConnectOrStart(options);
    if (!next.ok()) return next.status();
    client = *std::move(next);
    created = CreateMachine(client, options);
  }
  if (!created.ok()) return created;
  client.StartAgainWith([&options] { return ConnectOrStart(options).status(); });
  return RunMachine(client, options, signals);
}

// `verb`: the second word of a command that has one. `signals`: for run and console.
StatusOrExit Converse(const std::string& command, const std::string& verb, HvdClient& client,
                      Options& options, int signals) {
  if (command == "run") return Run(std::move(client), options, signals);
  if (command == "ps") return ListMachines(client, options);
  if (command == "inspect") return Inspect(client, options);
  if (command == "memory") return ShowOrChangeMemory(client, options);
  if (command == "services") {
    return Answer(client.Call(&Stub::ListServices, About<hv::v1::ListServicesRequest>(options)),
                  options, ShowServices);
  }
  if (command == "console") return AttachConsole(client, options, signals);
  if (command == "replace") return ReplaceService(client, options);
  if (command == "start") {
    return Change(client, options, About<hv::v1::StartMachineRequest>(options), &Stub::Start);
  }
  if (command == "pause") {
    return Change(client, options, About<hv::v1::PauseMachineRequest>(options), &Stub::Pause);
  }
  if (command == "resume") {
    return Change(client, options, About<hv::v1::ResumeMachineRequest>(options), &Stub::Resume);
  }
  if (command == "stop") return Stop(client, options);
  if (command == "rm") return Remove(client, options);
  if (command == "wait") return Wait(client, options);
  if (command == "stats") return Stats(client, options);
  if (command == "fault") return InjectFaults(verb, client, options);
  return Answer(client.Call(&Stub::Doctor, hv::v1::DoctorRequest()), options, ShowDoctor);
}

int Complain(const absl::Status& status, int exit_status) {
  std::fprintf(stderr, "hvctl: %s\n", std::string(status.message()).c_str());
  return exit_status;
}

}  // namespace

int Execute(const CLI::App& app, Options& options) {
  const CLI::App& subcommand = *app.get_subcommands().front();
  const std::string command = subcommand.get_name();
  const auto verbs = subcommand.get_subcommands();
  const std::string verb = verbs.empty() ? "" : verbs.front()->get_name();
  if (options.socket.empty()) options.socket = hvd::DefaultSocketPath();
  if (command == "version") return Version(options);
  if (command == "completion") {
    Print(BashCompletion(app));
    return kOk;
  }
  if (command == "man-page") {
    Print(ManPage(app));
    return kOk;
  }
  const bool has_console = command == "run" || command == "console";
  const UniqueFd signals = has_console ? HoldEndingSignals() : UniqueFd();
  const bool may_start = command == "run" || command == "doctor";
  auto client = may_start ? ConnectOrStart(options) : HvdClient::Connect(options.socket);
  if (!client.ok()) return Complain(client.status(), kUnreachable);
  const auto exit = Converse(command, verb, *client, options, signals.get());
  if (exit.ok()) return *exit;
  return Complain(exit.status(), absl::IsUnavailable(exit.status()) ? kUnreachable : kRefused);
}

}  // namespace hv::cli
