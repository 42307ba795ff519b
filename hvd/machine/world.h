// What machines need of the rest of hvd and of the host. Tests bring their own.
#pragma once

#include <cstdint>

#include "hvd/host/event_loop.h"
#include "hvd/host/process.h"
#include "hvd/host/runtime_folder.h"
#include "hvd/keeper/keeper.h"
#include "hvd/machine/guest_loader.h"
#include "hvd/streams/event_bus.h"

namespace hv::hvd {

// Outlives all machines.
struct World {
  EventLoop& loop;
  Launcher& launcher;
  GuestLoader& loader;
  EventBus& events;
  const RuntimeFolder& folder;
  Keeper& keeper;
  uint64_t tsc_hz;
};

}  // namespace hv::hvd
