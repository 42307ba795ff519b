// The last exits of a vCPU, for the report when a guest stops for a bad reason.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "hv_kernel/engine.h"

namespace hv {

class ExitHistory {
 public:
  static constexpr size_t kKept = 16;

  void Record(const Exit& exit) { exits_[count_++ % kKept] = exit; }

  // Oldest first.
  std::vector<Exit> Last() const {
    std::vector<Exit> last;
    for (uint64_t i = count_ > kKept ? count_ - kKept : 0; i < count_; ++i) {
      last.push_back(exits_[i % kKept]);
    }
    return last;
  }

 private:
  std::array<Exit, kKept> exits_{};
  uint64_t count_ = 0;
};

}  // namespace hv
