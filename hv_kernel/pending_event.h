// The word in which vcpu_svc publishes what a vCPU takes next (abi/vcpu_page.h), as a value.
#pragma once

#include <cstdint>

#include "abi/vcpu_page.h"

namespace hv {

class PendingEvent {
 public:
  PendingEvent() = default;
  explicit PendingEvent(uint64_t word) : word_(word) {}

  uint32_t generation() const {
    return static_cast<uint32_t>(word_ >> HV_PENDING_GENERATION_SHIFT);
  }
  uint8_t vector() const { return static_cast<uint8_t>(word_ & HV_PENDING_VECTOR_MASK); }
  bool init() const { return (word_ & HV_PENDING_INIT) != 0; }
  bool sipi() const { return (word_ & HV_PENDING_SIPI) != 0; }
  bool nmi() const { return (word_ & HV_PENDING_NMI) != 0; }
  bool interrupt() const { return (word_ & HV_PENDING_INTERRUPT) != 0; }
  // HV_PENDING_EXTINT or 0.
  uint64_t external() const { return word_ & HV_PENDING_EXTINT; }
  bool any() const { return (word_ & HV_PENDING_EVENTS) != 0; }

 private:
  uint64_t word_ = 0;
};

}  // namespace hv
