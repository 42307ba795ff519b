// INIT and SIPI as the injector applies them: rare, and with all registers.
#include <memory>

#include "hv_kernel/injector.h"
#include "hv_kernel/reset_state.h"

namespace hv {
namespace {

// Applies a change of the whole register state. The engine accepts what reset_state.h makes: it is
// a state a CPU can be in.
template <typename Change>
void ChangeState(VcpuEngine& engine, Change change) {
  auto state = std::make_unique<hv_vcpu_state>();
  engine.GetState(*state);
  change(*state);
  engine.SetState(*state).IgnoreError();
}

}  // namespace

void Injector::Reset() {
  ChangeState(engine_, [this](hv_vcpu_state& state) { ApplyInit(state, boot_cpu_); });
}

void Injector::StartUp(uint8_t vector) {
  ChangeState(engine_, [vector](hv_vcpu_state& state) { ApplySipi(state, vector); });
}

}  // namespace hv
