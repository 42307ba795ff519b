// Whether services answer on their control endpoints: a loop that works behind gRPC threads that do
// not is a hang too.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"

namespace hv::hvd {

// A thread of its own, since asking blocks. Slow to judge: a control endpoint is on no guest's
// path, and a host with too much to do answers late.
class ControlWatch {
 public:
  // One process: it is another one once its service has been replaced.
  struct Subject {
    uint32_t endpoint;
    uint32_t epoch;
    std::function<absl::Status(std::chrono::milliseconds timeout)> ask;
  };
  struct Parts {
    std::function<std::vector<Subject>()> subjects;
    // It has not answered kMisses times running.
    std::function<void(uint32_t endpoint, uint32_t epoch)> on_hang;
    std::chrono::milliseconds period;   // between two rounds, when all have answered
    std::chrono::milliseconds again;    // when one has not
    std::chrono::milliseconds timeout;  // of one question
  };
  static constexpr int kMisses = 3;

  explicit ControlWatch(Parts parts);
  // Waits for the question that is open.
  ~ControlWatch();

 private:
  void Run();
  void AskAll();

  const Parts parts_;
  using Misses = std::map<std::pair<uint32_t, uint32_t>, int>;  // by endpoint and epoch
  Misses misses_;  // of those that have not answered in the last round; the thread's
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace hv::hvd
