#include "integration_tests/boot_kernels/guest_run.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "abi/platform.h"
#include "hv_kernel/soft/soft_engine.h"

namespace hv::testing {
namespace {

constexpr uint64_t kLineStatus = HV_PORT_COM1 + 5;
constexpr uint64_t kTransmitterEmpty = 0x60;

}  // namespace

GuestRun RunGuest(const hv_vcpu_state& state, std::span<std::byte> ram) {
  GuestRun run;
  auto engine = soft::CreateSoftEngine({.code_bytes = 8 << 20});
  if (!engine.ok()) {
    ADD_FAILURE() << engine.status();
    return run;
  }
  const hv_memory_slot slot{.address = 0, .bytes = ram.size()};
  EXPECT_TRUE((*engine)->SetMemory({&slot, 1}, ram, nullptr).ok());
  const std::atomic<uint32_t> attention{0};
  auto vcpu = (*engine)->CreateVcpu({.attention = &attention, .cpuid = {}});
  if (!vcpu.ok() || !(*vcpu)->SetState(state).ok()) {
    ADD_FAILURE() << "the engine does not take the first state";
    return run;
  }
  for (;;) {
    const Exit exit = (*vcpu)->Run();
    if (exit.reason == ExitReason::kPortRead && exit.address == kLineStatus) {
      (*vcpu)->CompleteRead(kTransmitterEmpty);
    } else if (exit.reason == ExitReason::kPortWrite && exit.address == HV_PORT_COM1) {
      run.printed += static_cast<char>(exit.data);
    } else if (exit.reason == ExitReason::kPortWrite && exit.address == HV_PORT_DEBUG_EXIT) {
      run.exit_code = static_cast<int>(exit.data);
      return run;
    } else {
      ADD_FAILURE() << "exit " << static_cast<int>(exit.reason) << " at 0x" << std::hex
                    << exit.address << ": " << (*vcpu)->Describe();
      return run;
    }
  }
}

}  // namespace hv::testing
