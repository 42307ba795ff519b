// A port or memory access as a message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "abi/message.h"
#include "abi/route_table.h"
#include "hv_kernel/engine.h"
#include "service/message.h"

namespace hv {

constexpr uint64_t AllOnes(uint8_t width) {
  return width >= 8 ? UINT64_MAX : (1ull << (8 * width)) - 1;
}

inline service::Payload PackAccess(hv_space space, const Exit& exit) {
  // By words, width and space in one: a cell is copied by words, and a load of one waits for stores
  // of parts of it to leave the store buffer.
  static_assert(offsetof(hv_access, width) == 16 && offsetof(hv_access, space) == 17);
  const uint64_t words[] = {exit.address, exit.data & AllOnes(exit.width),
                            exit.width | uint64_t{static_cast<uint8_t>(space)} << 8};
  service::Payload payload{};
  std::memcpy(payload.data(), words, sizeof(words));
  return payload;
}

}  // namespace hv
