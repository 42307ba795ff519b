// Starts, parks and stops the vCPU threads of a machine from the control thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "hv_kernel/engine.h"

namespace hv {

// Why a machine stopped for good.
enum class StopCause : uint8_t {
  kPowerOff,     // the guest switched itself off (ACPI S5)
  kReset,        // the guest asked for a reset
  kDebugExit,    // the guest wrote the debug-exit port; `value` is what it wrote
  kShutdown,     // triple fault
  kUnsupported,  // the engine cannot run an instruction or a mode
  kRequested,    // hvd asked
};

struct StopReport {
  StopCause cause = StopCause::kRequested;
  uint32_t vcpu = 0;
  uint32_t value = 0;
  // For kShutdown and kUnsupported: what the engine says of the place, and what led there.
  std::string detail;
  std::vector<Exit> last_exits;
  std::optional<hv_vcpu_state> state;
  std::string bytes_at_rip;
};

// What the vCPU threads are to do. Thread-safe.
class RunControl {
 public:
  // `kick` makes every vCPU thread look at its attention word soon, wherever it is.
  RunControl(uint32_t vcpus, std::function<void()> kick);

  // --- Control thread.
  void Resume();
  // Returns when every vCPU thread is parked or gone. While parked, engines may be read and
  // changed.
  void Pause();
  void Stop(StopReport report);
  bool paused() const;
  // Waits until the machine has stopped and all vCPU threads are gone, or until `give_up`, asked
  // several times a second, returns true: then nullopt. A machine that was never started has no
  // threads to wait for.
  std::optional<StopReport> WaitUntilStopped(const std::function<bool()>& give_up);
  std::optional<StopReport> stopped() const;

  // --- vCPU threads.
  // To be called when the attention word was set: parks while the machine is paused; false means
  // stop. Cheap when there is nothing to do.
  bool Proceed();
  // The machine stops because of this vCPU; the first report wins.
  void ReportStop(StopReport report);
  // A vCPU thread's last call.
  void Leave();
  // Whether Proceed() would return true at once.
  bool running() const { return running_.load(std::memory_order_relaxed); }
  // True once the machine is stopping: waits for answers end.
  bool stopping() const { return stopping_.load(std::memory_order_relaxed); }

 private:
  enum class Mode { kPaused, kRunning, kStopping };

  const std::function<void()> kick_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Mode mode_ = Mode::kPaused;
  uint32_t alive_;
  uint32_t parked_ = 0;
  std::optional<StopReport> report_;
  // Mirrors of mode_ for the fast path; relaxed, the mutex orders what matters.
  std::atomic<bool> stopping_{false};
  std::atomic<bool> running_{false};
};

}  // namespace hv
