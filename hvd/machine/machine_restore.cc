// How a machine that another hvd has made becomes this one's.
#include <utility>

#include "absl/strings/str_cat.h"
#include "hvd/machine/machine.h"

namespace hv::hvd {

Machine::Machine(const World& world, const Remains& remains, ConsoleMemory console)
    : world_(world),
      config_(remains.machine->machine().config()),
      hub_(std::move(console)),
      records_(world.keeper, config_.name(), remains.keys),
      shown_(remains.machine->machine()),
      life_(remains.machine->life()) {
  records_.BeginLife(life_);
}

void Machine::Restore(Remains remains) {
  queue_.Run([&] { RestoreNow(std::move(remains)); });
}

void Machine::RestoreNow(Remains remains) {
  const bool restarting = remains.machine->restarting();
  auto restored = MachineInstance::Restore(world_, config_, hub_, records_, std::move(remains),
                                           CallbacksOf(life_));
  if (state() == hv::v1::MACHINE_STATE_STOPPED) return;  // what was still there ends
  if (restarting) {
    restored = nullptr;
    StartAnew();
    return;
  }
  if (!restored.ok()) {
    EndNow(
        {.cause = hv::v1::EXIT_CAUSE_INTERNAL_ERROR,
         .message = absl::StrCat("hvd was killed, and the next one cannot take the machine over: ",
                                 restored.status().message())});
    return;
  }
  {
    std::lock_guard lock(mutex_);
    instance_ = *std::move(restored);
  }
  SettleKernel();
}

// Errors are the exit watch's: it learns of a guest that has stopped and of an hv_kernel that died.
void Machine::SettleKernel() {
  switch (state()) {
    case hv::v1::MACHINE_STATE_CREATED: return;
    case hv::v1::MACHINE_STATE_PAUSED: instance()->Pause().IgnoreError(); return;
    default: break;
  }
  if (absl::IsFailedPrecondition(instance()->Resume())) {  // not started yet
    instance()->Start().IgnoreError();
  }
  // Who waited for a stop, and would have ended the guest after its grace, is gone.
  if (state() == hv::v1::MACHINE_STATE_STOPPING) SetState(hv::v1::MACHINE_STATE_RUNNING);
}

}  // namespace hv::hvd
