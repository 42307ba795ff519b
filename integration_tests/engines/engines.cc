#include "integration_tests/engines/engines.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "hv_kernel/kvm/cpuid_intersection.h"
#include "hv_kernel/kvm/kvm_engine.h"
#include "hv_kernel/soft/soft_engine.h"
#include "hv_kernel/soft/test_machine.h"
#include "vcpu_svc/cpuid_policy.h"

namespace hv::engines {
namespace {

constexpr uint64_t kTscHz = 1'000'000'000;
constexpr uint64_t kCr4Osxsave = 1 << 18;

// A guest's table by the engine's rules.
std::vector<kvm_cpuid_entry2> Shown(const std::string& engine) {
  if (engine == "kvm") {
    const UniqueFd device = kvm::OpenDevice().value();
    return kvm::IntersectCpuid(CpuidTable(), kvm::SupportedCpuid(device.get()).value(), 0);
  }
  std::vector<kvm_cpuid_entry2> all;
  for (const hv_cpuid_entry& entry : CpuidTable()) {
    all.push_back({.function = entry.leaf,
                   .index = entry.subleaf,
                   .eax = entry.eax,
                   .ebx = entry.ebx,
                   .ecx = entry.ecx,
                   .edx = entry.edx});
  }
  return all;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> MakeEngine(const std::string& name) {
  if (name == "soft") return soft::CreateSoftEngine({.code_bytes = 8 << 20});
  auto device = kvm::OpenDevice();
  if (!device.ok()) return device.status();
  return kvm::CreateKvmEngine(*device);
}

std::span<const hv_cpuid_entry> CpuidTable() {
  static const std::vector<hv_cpuid_entry> table =
      vcpu::BuildCpuidTable(vcpu::HostCpuid(), {.cpus = 1, .tsc_hz = kTscHz});
  return table;
}

bool Shows(const std::string& engine, const Feature& feature) {
  for (const kvm_cpuid_entry2& entry : Shown(engine)) {
    if (entry.function != feature.leaf || entry.index != feature.subleaf) continue;
    const uint32_t registers[] = {entry.eax, entry.ebx, entry.ecx, entry.edx};
    return (registers[static_cast<int>(feature.reg)] >> feature.bit & 1) != 0;
  }
  return false;
}

void FitState(const std::string& engine, hv_vcpu_state& state) {
  if (Shows(engine, kXsave)) return;
  state.cr4 &= ~kCr4Osxsave;
  state.xcr0 = 1;
}

std::string WhyRingZeroIsIncomplete(const std::string& engine) {
  soft::TestMachine machine(MakeEngine(engine).value(), CpuidTable());
  FitState(engine, machine.state());
  machine.LoadCode({0xd9, 0xe8,  // fld1
                    0xf4});
  if (machine.Run().reason == ExitReason::kHalt) return {};
  return absl::StrCat("this KVM emulates ring 0 and does not know all of it: FLD1 ",
                      machine.vcpu().Describe());
}

std::string WhyWindowsAreLate(const std::string& engine) {
  soft::TestMachine machine(MakeEngine(engine).value(), CpuidTable());
  FitState(engine, machine.state());
  machine.LoadCode({0x68, 0x02, 0x02, 0, 0,  // push 0x202: IF
                    0x9d,                    // popfq
                    0xff, 0xc0, 0xff, 0xc0,  // inc eax, twice
                    0xf4});
  machine.vcpu().RequestInterruptWindow(true);
  const Exit exit = machine.Run();
  const uint64_t after = machine.gpr(HV_RAX);
  if (exit.reason == ExitReason::kInterruptWindow && after == 0) return {};
  return absl::StrCat("this KVM leaves the guest ", after,
                      " instructions after the one that opens the interrupt window, or more");
}

std::string WhyTheTscIsTheHosts(const std::string& engine) {
  constexpr uint64_t kFar = 0x4000'0000'0000'0000;
  soft::TestMachine machine(MakeEngine(engine).value(), CpuidTable());
  FitState(engine, machine.state());
  machine.LoadCode({0x0f, 0x31, 0xf4});  // rdtsc
  machine.state().tsc_offset = kFar;
  machine.Run();
  if (machine.gpr(HV_RDX) >= kFar >> 32) return {};
  return "this KVM's guests read the host's TSC, without the offset that was set";
}

}  // namespace hv::engines
