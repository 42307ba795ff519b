#include "cli/console_command.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "cli/console_session.h"
#include "cli/exit_status.h"
#include "cli/machine_exit.h"
#include "cli/machine_watch.h"
#include "cli/memory_size.h"
#include "cli/raw_terminal.h"
#include "cli/show.h"

namespace hv::cli {
namespace {

constexpr uint64_t kLastLinesBytes = 4096;

absl::StatusOr<hv::v1::Machine> Show(HvdClient& client, const std::string& name) {
  hv::v1::GetMachineRequest request;
  request.set_name(name);
  auto response = client.Call(&Stub::Get, request);
  if (!response.ok()) return response.status();
  return response->machine();
}

// The console of a machine until the user leaves or everything the machine wrote to its end has
// been shown.
struct Shown {
  ConsoleSession::End end;
  absl::Status status;                                               // of the stream
  absl::StatusOr<hv::v1::MachineExit> exit = hv::v1::MachineExit();  // kOver: how the machine ended
};

Shown ShowConsole(HvdClient& client, const std::string& name, uint64_t from_offset,
                  bool whole_lines, int signals) {
  const RawTerminal terminal(STDIN_FILENO);
  ConsoleSession session(client, name, from_offset, whole_lines,
                         {.input = STDIN_FILENO,
                          .output = STDOUT_FILENO,
                          .signals = signals,
                          .escape = terminal.is_terminal()});
  MachineWatch watch(client, name, [&] {
    const auto machine = Show(client, name);
    session.EndAt(machine.ok() ? machine->console_bytes() : 0);
  });
  Shown shown{.end = session.Run(), .status = absl::OkStatus()};
  if (shown.end == ConsoleSession::End::kOver) {
    shown.status = session.status();
    if (shown.status.ok()) shown.exit = watch.Wait();
  }
  return shown;
}

void Tell(const std::string& text) { std::fprintf(stderr, "%s", text.c_str()); }

std::string HowToReturn(const std::string& name) {
  return absl::StrCat("\nhvctl: left ", name, " running: hvctl console ", name,
                      " returns, hvctl stop ", name, " ends it\n");
}

absl::Status Delete(HvdClient& client, const std::string& name) {
  hv::v1::DeleteMachineRequest request;
  request.set_name(name);
  request.set_force(true);
  return client.Call(&Stub::Delete, request).status();
}

// Whoever is asked, this hvd or the next one.
absl::Status DeleteForSure(HvdClient& client, const std::string& name) {
  const auto begin = HvdClient::Clock::now();
  absl::Status status = Delete(client, name);
  while (absl::IsUnavailable(status) && client.AwaitReturn(begin, [] { return false; })) {
    status = Delete(client, name);
  }
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

}  // namespace

absl::Status CompleteConfig(Options& options) {
  hv::v1::MachineConfig& config = options.config;
  const auto absolute = [](const std::string& path) {
    return path.empty() ? path : std::filesystem::absolute(path).lexically_normal().string();
  };
  config.set_kernel(absolute(config.kernel()));
  config.set_initrd(absolute(config.initrd()));
  for (const std::string& text : options.modules) {
    const size_t blank = text.find(' ');
    hv::v1::GuestModule& module = *config.add_modules();
    module.set_path(absolute(text.substr(0, blank)));
    if (blank != std::string::npos) module.set_command_line(text.substr(blank + 1));
  }
  if (!options.memory.empty()) {
    const auto bytes = ParseMemorySize(options.memory);
    if (!bytes.ok()) return bytes.status();
    config.set_memory_bytes(*bytes);
  }
  if (!options.translation_cache.empty()) {
    const auto bytes = ParseMemorySize(options.translation_cache);
    if (!bytes.ok()) return bytes.status();
    config.set_translation_cache_bytes(*bytes);
  }
  if (config.name().empty()) config.set_name(absl::StrCat("vm-", getpid()));
  if (options.no_reboot) config.set_on_reset(hv::v1::ON_RESET_STOP);
  return absl::OkStatus();
}

absl::Status CreateMachine(HvdClient& client, const Options& options) {
  hv::v1::CreateMachineRequest create;
  *create.mutable_config() = options.config;
  return client.Call(&Stub::Create, create).status();
}

absl::StatusOr<int> RunMachine(HvdClient& client, const Options& options, int signals) {
  const std::string& name = options.config.name();
  hv::v1::StartMachineRequest start;
  start.set_name(name);
  const auto started = client.Call(&Stub::Start, start);
  if (!started.ok()) {
    if (auto gone = Delete(client, name); !gone.ok())
      Tell(absl::StrCat("hvctl: ", gone.message(), "\n"));
    return started.status();
  }
  if (options.detach) {
    std::printf("%s", options.json ? ShowJson(*started).c_str() : absl::StrCat(name, "\n").c_str());
    return kOk;
  }

  const Shown shown = ShowConsole(client, name, 0, false, signals);
  if (shown.end == ConsoleSession::End::kLeft) {
    Tell(HowToReturn(name));
    return kOk;
  }
  if (!shown.status.ok()) return shown.status;
  if (absl::IsNotFound(shown.exit.status())) return kStopped;  // deleted by another client
  if (!shown.exit.ok()) return shown.exit.status();
  // An hvd that was told to end has ended the machine, and is not to be started again for that.
  if (shown.exit->cause() == hv::v1::EXIT_CAUSE_STOPPED) {
    Delete(client, name).IgnoreError();
  } else if (auto gone = DeleteForSure(client, name); !gone.ok()) {
    return gone;
  }
  if (shown.end != ConsoleSession::End::kOver) return kStopped;
  Tell(ExplainExit(*shown.exit));
  return ExitStatusOf(*shown.exit);
}

absl::StatusOr<int> AttachConsole(HvdClient& client, const Options& options, int signals) {
  const auto machine = Show(client, options.name);
  if (!machine.ok()) return machine.status();
  const uint64_t written = machine->console_bytes();
  const uint64_t from =
      options.all_output ? 0 : written - std::min<uint64_t>(written, kLastLinesBytes);
  const Shown shown = ShowConsole(client, options.name, from, !options.all_output, signals);
  if (shown.end != ConsoleSession::End::kOver) {
    Tell(HowToReturn(options.name));
    return kOk;
  }
  if (!shown.status.ok()) return shown.status;
  if (!shown.exit.ok()) return shown.exit.status();
  Tell(absl::StrCat("hvctl: ", options.name, " has stopped: ", shown.exit->message(), "\n"));
  return kOk;
}

}  // namespace hv::cli
