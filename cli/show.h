// Machines, services and counters as text for people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/hv/v1/fault.pb.h"
#include "proto/hv/v1/machine.pb.h"

namespace hv::cli {

std::string StateName(hv::v1::MachineState state);  // "running"
std::string ShowDuration(int64_t nanoseconds);      // "3 s", "5 min", "2 h", "4 d"

std::string ShowMachines(const std::vector<hv::v1::Machine>& machines, int64_t now_unix_ns);
std::string ShowMachine(const hv::v1::GetMachineResponse& response, int64_t now_unix_ns);
std::string ShowServices(const hv::v1::ListServicesResponse& response);
// `before`: an earlier answer, `seconds` ago, for rates; null: none are shown. What the engine
// counts of itself, or all else.
std::string ShowStats(const hv::v1::GetMachineStatsResponse& stats,
                      const hv::v1::GetMachineStatsResponse* before, double seconds,
                      bool of_engine);
std::string ShowMemory(const hv::v1::GuestMemory& memory);
// Runs of pages that the dirty log, or the write watch, has.
std::string ShowDirtyPages(const hv::v1::TakeDirtyLogResponse& taken);
// A walk of page tables, entry by entry, and where it led.
std::string ShowTranslation(const hv::v1::Translation& walk);
std::string ShowFaults(const hv::v1::ListFaultsResponse& faults);
// One line of a campaign; its last one.
std::string ShowInjection(const hv::v1::Injection& injection);
std::string ShowChaosSummary(const hv::v1::ChaosSummary& summary);
std::string ShowDoctor(const hv::v1::DoctorResponse& doctor);
// Registers, bytes at RIP and the last exits of a guest that crashed.
std::string ShowCrash(const hv::v1::Crash& crash);

// Any answer as JSON, one line break at the end, fields named as in the .proto file.
std::string ShowJson(const google::protobuf::Message& message);
// Likewise in one line, for streams.
std::string ShowJsonLine(const google::protobuf::Message& message);

}  // namespace hv::cli
