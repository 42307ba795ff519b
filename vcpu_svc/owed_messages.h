// Messages one step may cause for many vCPUs at once, sent a few a step: a broadcast INIT disarms
// the timers of all the others. What is owed stands in the state of each vCPU.
#pragma once

#include "service/actions.h"
#include "vcpu_svc/machine.h"

namespace hv::vcpu {

// So many a step fit, with an answer and an EOI, into the smallest ring.
inline constexpr int kOwedPerStep = 8;

// Sends deadlines to timer_svc. True when some are left: a tick is wanted at once.
bool SendOwed(Machine& machine, service::Actions& actions);

}  // namespace hv::vcpu
