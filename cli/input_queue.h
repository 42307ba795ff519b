// What was typed and is not sent yet.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>

namespace hv::cli {

// One thread puts, another takes. Bounded, so that a file piped into a guest that reads slowly is
// read slowly.
class InputQueue {
 public:
  explicit InputQueue(size_t capacity_bytes) : capacity_(capacity_bytes) {}

  // Waits for room when `wait`; else takes what does not fit too. False: closed.
  bool Put(const std::string& text, bool wait);
  // Waits for something. Empty: closed.
  std::string Take();
  // Ends both sides' waiting; what is left is dropped.
  void Close();

 private:
  const size_t capacity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
  bool closed_ = false;
};

}  // namespace hv::cli
