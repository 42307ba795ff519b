// The thread that serves a machine's console rings and power button while it has processes.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "hvd/streams/console_hub.h"
#include "hvd/streams/host_port.h"

namespace hv::hvd {

// What a guest writes comes byte by byte, and every piece that is passed on costs hvd and its
// reader a hundred microseconds of a processor that serial_svc needs for the next byte. So the
// first byte is passed on at once, and what follows at most every kGather; what is typed never
// waits.
class ConsolePump {
 public:
  static constexpr std::chrono::milliseconds kGather{2};

  // Starts the thread; the hub then keeps the port's position. `hub` outlives it.
  ConsolePump(HostPort port, ConsoleHub& hub);
  // Takes what output is left in the ring and ends. A reader that holds the hub full is cut off in
  // ConsoleHub::kPatience, so this is bounded. REQUIRES: serial_svc is dead or harmless.
  ~ConsolePump();

  // Any thread.
  void PressPowerButton();
  uint64_t refused(hv_refusal why) const { return port_.refused(why); }

 private:
  void Run();
  void Wake();
  // Until kGather has passed or somebody of this process wants something; serial_svc wakes nobody
  // meanwhile.
  void Gather();
  void Sleep();

  HostPort port_;
  ConsoleHub& hub_;
  ring::Waker waker_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> presses_{0};
  std::mutex mutex_;
  std::condition_variable wanted_;
  bool wanted_now_ = false;  // by Wake(), since Gather() last began; under mutex_
  std::thread thread_;
};

}  // namespace hv::hvd
