// A set of the 256 interrupt vectors, as IRR, ISR and TMR hold them.
#pragma once

#include <bit>
#include <cstdint>

namespace hv::vcpu {

struct VectorSet {
  uint32_t words[8];

  bool Has(uint8_t vector) const { return (words[vector / 32] >> (vector % 32) & 1) != 0; }
  void Add(uint8_t vector) { words[vector / 32] |= 1u << (vector % 32); }
  void Remove(uint8_t vector) { words[vector / 32] &= ~(1u << (vector % 32)); }
  // The highest vector; -1 when empty.
  int Highest() const {
    for (int i = 7; i >= 0; --i) {
      if (words[i] != 0) return i * 32 + 31 - std::countl_zero(words[i]);
    }
    return -1;
  }
};

}  // namespace hv::vcpu
