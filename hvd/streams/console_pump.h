// The thread that serves a machine's console rings and power button while it has processes.
#pragma once

#include <atomic>
#include <thread>

#include "hvd/streams/console_hub.h"
#include "hvd/streams/host_port.h"

namespace hv::hvd {

class ConsolePump {
 public:
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
  void Sleep();

  HostPort port_;
  ConsoleHub& hub_;
  ring::Waker waker_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> presses_{0};
  std::thread thread_;
};

}  // namespace hv::hvd
