// Which messages a service keeps dying of: what is in hand when it dies, counted over its lives.
#pragma once

#include <cstddef>
#include <cstdint>

#include "abi/state.h"
#include "ring/shared_store.h"

namespace hv::service {

// All of it lies in the state header, where it outlives the process (abi/state.h, in_hand).
class Suspects {
 public:
  explicit Suspects(hv_state_header& header) : header_(header) {}

  // To be called once after attaching, before anything is taken in hand: what the predecessor had
  // in hand and never committed is suspected of its death. `current`: the committed copy.
  template <typename Stores>
  void Attach(const hv_state_copy& current, size_t channels, Stores& stores) {
    const uint64_t in_hand = ring::LoadRelaxed(header_.in_hand);
    if (IsUnconsumed(in_hand, current, channels)) Accuse(in_hand, current, channels, stores);
    ring::StoreRelaxed(header_.in_hand, uint64_t{0}, stores);
    any_poison_ = false;
    for (const uint64_t& suspect : header_.suspects) {
      if (HV_IN_HAND_DEATHS(suspect) >= HV_POISON_DEATHS) any_poison_ = true;
    }
  }

  // The message is about to be shown to the core.
  template <typename Stores>
  void TakeInHand(size_t channel, uint64_t position, Stores& stores) {
    ring::StoreRelaxed(header_.in_hand, HV_IN_HAND(channel, position), stores);
    // A core that dies does so after this store.
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  // Its step was forgotten: a death before it is made again is of something else.
  template <typename Stores>
  void PutDown(Stores& stores) {
    ring::StoreRelaxed(header_.in_hand, uint64_t{0}, stores);
  }

  // Whether the core is to be spared this message.
  bool IsPoison(size_t channel, uint64_t position) const {
    if (!any_poison_) [[likely]]
      return false;
    const uint64_t message = HV_IN_HAND(channel, position);
    for (const uint64_t& suspect : header_.suspects) {
      if ((suspect & HV_IN_HAND_MESSAGE) == message) {
        return HV_IN_HAND_DEATHS(suspect) >= HV_POISON_DEATHS;
      }
    }
    return false;
  }

 private:
  static bool IsUnconsumed(uint64_t word, const hv_state_copy& current, size_t channels) {
    return word != 0 && HV_IN_HAND_CHANNEL(word) < channels &&
           HV_IN_HAND_POSITION(word) == current.consumed[HV_IN_HAND_CHANNEL(word)];
  }

  // One store, so that a death in between counts once or not at all.
  template <typename Stores>
  void Accuse(uint64_t in_hand, const hv_state_copy& current, size_t channels, Stores& stores) {
    uint64_t* place = &header_.suspects[in_hand % HV_SUSPECTS];
    for (uint64_t& suspect : header_.suspects) {
      if (!IsUnconsumed(suspect & HV_IN_HAND_MESSAGE, current, channels)) place = &suspect;
    }
    for (uint64_t& suspect : header_.suspects) {
      if ((suspect & HV_IN_HAND_MESSAGE) == in_hand) place = &suspect;
    }
    const bool known = (*place & HV_IN_HAND_MESSAGE) == in_hand;
    ring::StoreRelaxed(*place, (known ? *place : in_hand) + HV_IN_HAND_DEATH, stores);
  }

  hv_state_header& header_;
  bool any_poison_ = false;
};

}  // namespace hv::service
