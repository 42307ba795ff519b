// Code that most blocks have and that is the same in each but for a piece in its middle and a
// number: the assembler makes it once, and then it is copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/check.h"
#include "hv_kernel/soft/cpu.h"

namespace hv::soft {

// Does the same wherever it lies.
class Fragment {
 public:
  bool empty() const { return size_ == 0; }
  std::span<const uint8_t> bytes() const { return {bytes_, size_}; }
  // REQUIRES: no more than kMaxBytes.
  void Keep(const uint8_t* bytes, size_t size) {
    CHECK(size <= kMaxBytes);
    std::memcpy(bytes_, bytes, size);
    size_ = static_cast<uint8_t>(size);
  }

 private:
  static constexpr size_t kMaxBytes = 80;

  uint8_t size_ = 0;
  uint8_t bytes_[kMaxBytes];
};

// What is in front of the middle and what is behind it.
struct Frame {
  Fragment front;
  Fragment back;
  uint8_t number_end = 0;  // of a 32-bit number in front; 0: there is none
};

struct Frames {
  // Each for reading and for writing.
  Frame probe_overwriting_flags[kTlbCount][2];
  Frame probe_keeping_flags[kTlbCount][2];
  Frame jump[kTlbCount];  // through a jump cache
  Frame attention[2];     // without and with live flags
};

}  // namespace hv::soft
