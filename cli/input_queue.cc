#include "cli/input_queue.h"

#include <utility>

namespace hv::cli {

bool InputQueue::Put(const std::string& text, bool wait) {
  std::unique_lock lock(mutex_);
  if (wait) {
    changed_.wait(lock, [this] { return closed_ || text_.size() < capacity_; });
  }
  if (closed_) return false;
  text_ += text;
  changed_.notify_all();
  return true;
}

std::string InputQueue::Take() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return closed_ || !text_.empty(); });
  changed_.notify_all();
  return closed_ ? std::string() : std::exchange(text_, std::string());
}

void InputQueue::Close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

}  // namespace hv::cli
