// What machines need of the rest of hvd and of the host. Tests bring their own.
#pragma once

#include <cstdint>

#include "hvd/event_bus.h"
#include "hvd/event_loop.h"
#include "hvd/guest_loader.h"
#include "hvd/keeper.h"
#include "hvd/process.h"
#include "hvd/runtime_folder.h"

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
