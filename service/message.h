// Messages as a service core sees them: validated copies in, values out.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "abi/cell.h"
#include "abi/endpoint.h"
#include "abi/message.h"

namespace hv::service {

using Payload = std::array<uint8_t, HV_CELL_PAYLOAD_BYTES>;

// A message taken from a ring: already copied out of shared memory, its kind one the sender's role
// may send to the receiver's. What the payload says is still foreign.
struct Message {
  uint32_t from = 0;  // endpoint, abi/endpoint.h
  uint16_t kind = HV_KIND_NONE;
  uint32_t tag = 0;
  Payload payload{};

  // The payload as one of the structs of abi/message.h.
  template <typename T>
  T As() const {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= HV_CELL_PAYLOAD_BYTES);
    T value;
    std::memcpy(&value, payload.data(), sizeof(T));
    return value;
  }
};

// A message a step wants sent.
struct Outgoing {
  uint32_t to = 0;
  uint16_t kind = HV_KIND_NONE;
  uint32_t tag = 0;
  Payload payload{};

  template <typename T>
  static Outgoing Of(uint32_t to, uint16_t kind, uint32_t tag, const T& value) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= HV_CELL_PAYLOAD_BYTES);
    Outgoing out{.to = to, .kind = kind, .tag = tag};
    std::memcpy(out.payload.data(), &value, sizeof(T));
    return out;
  }
  template <typename T>
  T As() const {
    T value;
    std::memcpy(&value, payload.data(), sizeof(T));
    return value;
  }
};

}  // namespace hv::service
