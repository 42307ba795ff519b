// The engines that tests of the contract run on, and what their guests see.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "abi/cpuid_table.h"
#include "abi/vcpu_state.h"
#include "absl/status/statusor.h"
#include "hv_kernel/engine.h"

namespace hv::engines {

inline constexpr std::array kEngines = {"soft", "kvm"};

// FailedPrecondition: this host cannot run it; says why.
absl::StatusOr<std::unique_ptr<Engine>> MakeEngine(const std::string& name);

// vcpu_svc's table for a machine of one CPU on this host.
std::span<const hv_cpuid_entry> CpuidTable();

enum class CpuidRegister { kEax, kEbx, kEcx, kEdx };
struct Feature {
  const char* name;
  uint32_t leaf, subleaf;
  CpuidRegister reg;
  int bit;
};
constexpr Feature kXsave{"XSAVE", 1, 0, CpuidRegister::kEcx, 26};

// Whether a guest on `engine` is shown the feature. REQUIRES: MakeEngine(engine) succeeds.
bool Shows(const std::string& engine, const Feature& feature);

// What a guest without XSAVE cannot have, taken away where the engine's guests are without.
void FitState(const std::string& engine, hv_vcpu_state& state);

// What tests of exact behaviour rest on and an engine may lack, found out by running a few guest
// instructions on it. Empty: it does as it should; else what was seen.
//
// Code of ring 0 runs on the CPU, all of it, and not in an emulator that knows a part.
std::string WhyRingZeroIsIncomplete(const std::string& engine);
// A guest that requested an interrupt window is left where POPF opens it.
std::string WhyWindowsAreLate(const std::string& engine);
// RDTSC is offset by what the state says.
std::string WhyTheTscIsTheHosts(const std::string& engine);

}  // namespace hv::engines
