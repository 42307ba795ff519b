// A started process of one service that waits for its manifest, so that taking over is no more than
// attaching: whatever a start costs has been paid before.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <mutex>
#include <optional>

#include "hvd/host/event_loop.h"
#include "hvd/host/process.h"
#include "hvd/supervision/part_process.h"

namespace hv::hvd {

// Thread-safe. One that dies while it waits is replaced after a while.
class Standby {
 public:
  // `log`: standard error of the process. All must outlive the standby.
  Standby(EventLoop& loop, Launcher& launcher, uint32_t endpoint, int log);
  // Ends the process that waits. REQUIRES: not on the loop's thread.
  ~Standby();
  Standby(const Standby&) = delete;
  Standby& operator=(const Standby&) = delete;

  // Starts a process if none waits.
  void Prepare();
  // Does so in a moment: starting takes processor time that somebody needs more just now.
  void PrepareSoon();
  // Hands over the one that waits; nullopt: there is none at present.
  std::optional<LaunchedPart> Take();
  // 0: none waits.
  pid_t pid() const;

 private:
  void OnDeath();
  // Both REQUIRE that mutex_ is held.
  void PrepareLocked();
  void PrepareLater(std::chrono::milliseconds delay);

  EventLoop& loop_;
  Launcher& launcher_;
  const uint32_t endpoint_;
  const int log_;
  mutable std::mutex mutex_;
  LaunchedPart part_;
  EventLoop::Id watch_ = EventLoop::kNone;  // for its death
  EventLoop::Id later_ = EventLoop::kNone;  // for PrepareLater, while that is due
  bool stopping_ = false;
};

}  // namespace hv::hvd
