// What one step of a service asks for: messages to send and the time of its next tick.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "abi/state.h"
#include "service/message.h"

namespace hv::service {

inline constexpr uint64_t kNever = UINT64_MAX;

// Fixed capacity, no allocation. One step sends at most HV_OUTBOX_CELLS messages; a core that could
// want more keeps the rest in its state and asks for a tick at once (WakeAt(now)).
class Actions {
 public:
  // REQUIRES: free() > 0.
  template <typename T>
  void Send(uint32_t to, uint16_t kind, uint32_t tag, const T& payload) {
    Push(Outgoing::Of(to, kind, tag, payload));
  }
  void Push(const Outgoing& message);

  // When Tick() is wanted, machine time in nanoseconds; kNever for not at all. Each step starts
  // with the time the last one asked for.
  void WakeAt(uint64_t time_ns) { wake_at_ns_ = time_ns; }
  uint64_t wake_at_ns() const { return wake_at_ns_; }

  size_t free() const { return HV_OUTBOX_CELLS - count_; }
  std::span<const Outgoing> messages() const { return {messages_, count_}; }
  void Clear() { count_ = 0; }

 private:
  Outgoing messages_[HV_OUTBOX_CELLS];
  size_t count_ = 0;
  uint64_t wake_at_ns_ = kNever;
};

}  // namespace hv::service
