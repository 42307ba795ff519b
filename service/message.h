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

// One of the structs of abi/message.h as a payload, zeros behind it; and back.
template <typename T>
Payload PayloadOf(const T& value) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= HV_CELL_PAYLOAD_BYTES);
  Payload payload{};
  std::memcpy(payload.data(), &value, sizeof(T));
  return payload;
}
template <typename T>
T PayloadAs(const Payload& payload) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= HV_CELL_PAYLOAD_BYTES);
  T value;
  std::memcpy(&value, payload.data(), sizeof(T));
  return value;
}

// A message taken from a ring: already copied out of shared memory, its kind one the sender's role
// may send to the receiver's. What the payload says is still foreign.
struct Message {
  uint32_t from = 0;  // endpoint, abi/endpoint.h
  uint16_t kind = HV_KIND_NONE;
  uint32_t tag = 0;
  Payload payload{};

  template <typename T>
  static Message Of(uint32_t from, uint16_t kind, uint32_t tag, const T& value) {
    return {.from = from, .kind = kind, .tag = tag, .payload = PayloadOf(value)};
  }
  // The payload as one of the structs of abi/message.h.
  template <typename T>
  T As() const {
    return PayloadAs<T>(payload);
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
    return {.to = to, .kind = kind, .tag = tag, .payload = PayloadOf(value)};
  }
  template <typename T>
  T As() const {
    return PayloadAs<T>(payload);
  }
};

}  // namespace hv::service
