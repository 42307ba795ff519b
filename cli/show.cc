#include "cli/show.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/memory_size.h"
#include "cli/table.h"

namespace hv::cli {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

std::string Hex(uint64_t value) { return absl::StrCat("0x", absl::Hex(value)); }

std::string LevelName(hv::v1::FindingLevel level) {
  switch (level) {
    case hv::v1::FINDING_LEVEL_OK: return "ok";
    case hv::v1::FINDING_LEVEL_NOTE: return "note";
    case hv::v1::FINDING_LEVEL_PROBLEM: return "PROBLEM";
    default: return "?";
  }
}

std::string ExitInBrief(const hv::v1::Machine& machine) {
  if (!machine.has_exit()) return machine.degraded_size() > 0 ? "degraded" : "";
  return absl::StrCat("exit ", machine.exit().status());
}

}  // namespace

std::string StateName(hv::v1::MachineState state) {
  const std::string full = hv::v1::MachineState_Name(state);
  constexpr char kPrefix[] = "MACHINE_STATE_";
  std::string name = full.rfind(kPrefix, 0) == 0 ? full.substr(sizeof(kPrefix) - 1) : full;
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return tolower(c); });
  return name;
}

std::string ShowDuration(int64_t nanoseconds) {
  const int64_t seconds = std::max<int64_t>(0, nanoseconds / kSecondNs);
  if (seconds < 120) return absl::StrCat(seconds, " s");
  if (seconds < 120 * 60) return absl::StrCat(seconds / 60, " min");
  if (seconds < 48 * 3600) return absl::StrCat(seconds / 3600, " h");
  return absl::StrCat(seconds / 86400, " d");
}

std::string ShowMachines(const std::vector<hv::v1::Machine>& machines, int64_t now_unix_ns) {
  Table table({"NAME", "STATE", "FOR>", "CPUS>", "MEMORY>", "ENGINE", "NOTE"});
  for (const auto& machine : machines) {
    table.Add({machine.config().name(), StateName(machine.state()),
               ShowDuration(now_unix_ns - machine.state_since_unix_ns()),
               absl::StrCat(machine.config().cpus()), ShowBytes(machine.config().memory_bytes()),
               machine.engine(), ExitInBrief(machine)});
  }
  return table.Show();
}

std::string ShowMachine(const hv::v1::GetMachineResponse& response, int64_t now_unix_ns) {
  const hv::v1::Machine& machine = response.machine();
  const hv::v1::MachineConfig& config = machine.config();
  std::string text;
  const auto line = [&](const char* label, const std::string& value) {
    if (!value.empty()) absl::StrAppendFormat(&text, "%-13s %s\n", label, value);
  };
  line("name", config.name());
  line("state", absl::StrCat(StateName(machine.state()), " for ",
                             ShowDuration(now_unix_ns - machine.state_since_unix_ns())));
  if (machine.has_exit()) {
    line("exit", absl::StrCat(machine.exit().message(), " (status ", machine.exit().status(), ")"));
  }
  line("degraded", absl::StrJoin(machine.degraded(), "; "));
  line("engine", absl::StrCat(machine.engine(), " (", config.engine(), ")"));
  line("cpus", absl::StrCat(config.cpus()));
  line("memory", ShowBytes(config.memory_bytes()));
  line("kernel", config.kernel());
  line("initrd", config.initrd());
  line("command line", config.command_line());
  for (const auto& module : config.modules()) {
    line("module", absl::StrCat(module.path(), module.command_line().empty() ? "" : " ",
                                module.command_line()));
  }
  line("debug exit", config.debug_exit() ? "on" : "");
  line("on reset", config.on_reset() == hv::v1::ON_RESET_STOP ? "stop" : "restart");
  line("restarts", machine.restarts() > 0 ? absl::StrCat(machine.restarts()) : "");
  line("console", absl::StrCat(machine.console_bytes(), " bytes written"));
  if (machine.exit().has_crash()) absl::StrAppend(&text, "\n", ShowCrash(machine.exit().crash()));
  for (const auto& registers : response.registers()) {
    hv::v1::Crash only_registers;
    only_registers.set_vcpu(registers.vcpu());
    *only_registers.mutable_registers() = registers;
    absl::StrAppend(&text, "\n", ShowCrash(only_registers));
  }
  if (response.has_memory()) absl::StrAppend(&text, "\n", ShowMemory(response.memory()));
  return text;
}

// A line for each stage that has been.
static std::string ShowFailovers(const hv::v1::Failovers& failovers) {
  std::string text;
  for (const auto& stage : failovers.stages()) {
    if (stage.count() == 0) continue;
    absl::StrAppendFormat(
        &text, "  failover %-14s %d times, p50 %.0f us, p99 %.0f us, max %.0f us\n", stage.name(),
        stage.count(), static_cast<double>(stage.p50_ns()) / 1000,
        static_cast<double>(stage.p99_ns()) / 1000, static_cast<double>(stage.max_ns()) / 1000);
  }
  return text;
}

std::string ShowServices(const hv::v1::ListServicesResponse& response) {
  Table table({"NAME", "PID>", "STANDBY>", "EPOCH>", "STATE", "MSG/S>", "RECEIVED>", "SENT>",
               "REFUSED>", "QUARANTINED>", "STEPS>", "RESIDENT>", "PRIVATE>"});
  for (const auto& service : response.services()) {
    table.Add({service.name(), absl::StrCat(service.pid()),
               service.standby_pid() != 0 ? absl::StrCat(service.standby_pid()) : "-",
               absl::StrCat(service.epoch()),
               service.state() == "running" && service.waiting() ? "idle" : service.state(),
               absl::StrFormat("%.0f", service.messages_per_second()),
               absl::StrCat(service.received()), absl::StrCat(service.sent()),
               absl::StrCat(service.refused()), absl::StrCat(service.quarantined()),
               absl::StrCat(service.steps()), ShowBytes(service.resident_bytes()),
               ShowBytes(service.private_bytes())});
  }
  std::string text = table.Show();
  for (const auto& service : response.services()) {
    absl::StrAppend(&text, "\n", service.name(), "\n  maps     ",
                    absl::StrJoin(service.maps(), ", "), "\n  held by  ",
                    absl::StrJoin(service.sandbox(), ", "), "\n");
    if (!service.refused_by().empty()) {
      absl::StrAppend(&text, "  refused ");
      for (const auto& reason : service.refused_by()) {
        absl::StrAppend(&text, " ", reason.name(), " ", reason.value());
      }
      absl::StrAppend(&text, "\n");
    }
    absl::StrAppend(&text, ShowFailovers(service.failovers()));
    for (const auto& missing : service.sandbox_missing()) {
      absl::StrAppend(&text, "  missing  ", missing, "\n");
    }
  }
  return text;
}

std::string ShowDoctor(const hv::v1::DoctorResponse& doctor) {
  Table table({"TOPIC", "", "FOUND"});
  for (const auto& finding : doctor.findings()) {
    table.Add({finding.topic(), LevelName(finding.level()), finding.found()});
    if (!finding.advice().empty() && finding.level() != hv::v1::FINDING_LEVEL_OK) {
      table.Add({"", "", absl::StrCat("-> ", finding.advice())});
    }
  }
  return absl::StrCat(table.Show(), "engine auto is ", doctor.default_engine(), "\n");
}

std::string ShowCrash(const hv::v1::Crash& crash) {
  std::string text = absl::StrCat("vCPU ", crash.vcpu(), ", ", crash.registers().activity(), "\n");
  int column = 0;
  for (const auto& one : crash.registers().registers()) {
    absl::StrAppendFormat(&text, "%14s %016x", one.name(), one.value());
    if (++column % 3 == 0) absl::StrAppend(&text, "\n");
  }
  if (column % 3 != 0) absl::StrAppend(&text, "\n");
  for (const auto& segment : crash.registers().segments()) {
    absl::StrAppendFormat(&text, "%14s %04x base %016x limit %08x attributes %05x\n",
                          segment.name(), segment.selector(), segment.base(), segment.limit(),
                          segment.attributes());
  }
  if (!crash.bytes_at_rip().empty()) {
    absl::StrAppend(&text, "  bytes at RIP");
    for (const char byte : crash.bytes_at_rip()) {
      absl::StrAppendFormat(&text, " %02x", static_cast<unsigned char>(byte));
    }
    absl::StrAppend(&text, "\n");
  }
  if (crash.last_exits_size() > 0) absl::StrAppend(&text, "  last exits, oldest first\n");
  for (const auto& exit : crash.last_exits()) {
    absl::StrAppendFormat(&text, "    %-16s %s width %d data %s\n", exit.reason(),
                          Hex(exit.address()), exit.width(), Hex(exit.data()));
  }
  return text;
}

namespace {

std::string Json(const google::protobuf::Message& message, bool lines) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = lines;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) return absl::StrCat("{\"error\": \"", status.ToString(), "\"}\n");
  return lines ? json : absl::StrCat(json, "\n");
}

}  // namespace

std::string ShowJson(const google::protobuf::Message& message) { return Json(message, true); }
std::string ShowJsonLine(const google::protobuf::Message& message) { return Json(message, false); }

}  // namespace hv::cli
