// Interrupt, trap and call gates as values (Intel SDM vol. 3, figures 5-8, 6-2 and 6-8).
#pragma once

#include <cstdint>

namespace hv::soft {

class Gate {
 public:
  // `high` is the third and fourth doubleword of a 64-bit gate; 0 for others.
  Gate(uint64_t low, uint64_t high) : low_(low), high_(high) {}

  uint64_t offset() const {
    return (low_ & 0xffff) | (low_ >> 48 << 16) | (high_ & 0xffffffffu) << 32;
  }
  uint16_t selector() const { return low_ >> 16 & 0xffff; }
  // Of a call gate outside long mode: what is copied to the inner stack.
  uint32_t parameters() const { return low_ >> 32 & 31; }
  uint8_t ist() const { return low_ >> 32 & 7; }
  uint8_t type() const { return low_ >> 40 & 0xf; }
  bool is_system() const { return (low_ >> 44 & 1) == 0; }
  uint32_t dpl() const { return low_ >> 45 & 3; }
  bool present() const { return (low_ >> 47 & 1) != 0; }

 private:
  uint64_t low_;
  uint64_t high_;
};

}  // namespace hv::soft
