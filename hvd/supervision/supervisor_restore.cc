// How the services of a killed hvd become this one's.
#include <algorithm>
#include <utility>

#include "abi/state.h"
#include "base/check.h"
#include "hvd/supervision/supervisor.h"
#include "ring/shared_store.h"

namespace hv::hvd {

void Supervisor::Restore(const std::vector<uint32_t>& services, std::vector<RemainingPart> parts) {
  std::lock_guard lock(mutex_);
  for (const uint32_t endpoint : services) {
    slots_.push_back(std::make_unique<Slot>(
        Slot{.endpoint = endpoint, .hang = HangDetector(parts_.plan.hang_timeout)}));
    Slot& slot = *slots_.back();
    const size_t index = slots_.size() - 1;
    // What was raised before a process was put on record counts too.
    const hv_state_header* header = parts_.segments.state_header(endpoint);
    CHECK(header != nullptr);
    slot.epoch = ring::LoadRelaxed(header->epoch);
    const auto found = std::find_if(parts.begin(), parts.end(), [&](const RemainingPart& part) {
      return part.endpoint == endpoint;
    });
    if (found != parts.end()) {
      Adopt(slot, std::move(*found));
      slot.watch = parts_.loop.WhenReadable(slot.part.process->death_fd(),
                                            [this, index] { OnDeath(index); });
    } else {
      ++slot.epoch;
      slot.watch = parts_.loop.After({}, [this, index] { Replace(index); });
    }
    if (!parts_.plan.standby) continue;
    slot.standby = std::make_unique<Standby>(parts_.loop, parts_.launcher, endpoint, parts_.log);
    slot.standby->Prepare();
  }
  WatchControl();
}

// A dead process is watched like any other: its death is seen at once.
void Supervisor::Adopt(Slot& slot, RemainingPart part) {
  slot.epoch = std::max(slot.epoch, part.epoch);
  slot.part.process = parts_.launcher.Adopt(part.pid, std::move(part.death_fd));
  slot.part.control = std::move(part.control);
  if (auto control = ConnectTo(slot.part); control.ok()) {
    slot.client = std::make_shared<ServiceClient>(*std::move(control));
  }
  const hv_state_header* header = parts_.segments.state_header(slot.endpoint);
  slot.heartbeat_at_attach = ring::LoadRelaxed(header->heartbeat);
  slot.quarantined = ring::LoadRelaxed(header->quarantined);
  WatchPager(slot);
  slot.attached_at = EventLoop::Clock::now();
  slot.state = State::kRunning;
}

}  // namespace hv::hvd
