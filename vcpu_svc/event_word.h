// The words `pending` and `taken` of the vCPU page (abi/vcpu_page.h), as a value.
#pragma once

#include <cstdint>

#include "abi/vcpu_page.h"

namespace hv::vcpu {

class EventWord {
 public:
  static constexpr uint64_t kEvents =
      HV_PENDING_EVENTS | HV_PENDING_EXTINT | HV_PENDING_VECTOR_MASK;
  static constexpr uint64_t kAll = kEvents | uint64_t{0xffffffff} << HV_PENDING_GENERATION_SHIFT;

  explicit EventWord(uint64_t word) : word_(word) {}
  static uint64_t Make(uint32_t generation, uint64_t events) {
    return uint64_t{generation} << HV_PENDING_GENERATION_SHIFT | events;
  }

  uint32_t generation() const {
    return static_cast<uint32_t>(word_ >> HV_PENDING_GENERATION_SHIFT);
  }
  // All but the generation.
  uint64_t events() const { return word_ & kEvents; }
  bool any() const { return (word_ & HV_PENDING_EVENTS) != 0; }
  bool init() const { return (word_ & HV_PENDING_INIT) != 0; }
  bool sipi() const { return (word_ & HV_PENDING_SIPI) != 0; }
  bool nmi() const { return (word_ & HV_PENDING_NMI) != 0; }
  bool interrupt() const { return (word_ & HV_PENDING_INTERRUPT) != 0; }
  bool external() const { return (word_ & HV_PENDING_EXTINT) != 0; }
  uint8_t vector() const { return static_cast<uint8_t>(word_ & HV_PENDING_VECTOR_MASK); }

 private:
  uint64_t word_;
};

}  // namespace hv::vcpu
