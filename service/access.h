// Accesses to ports and memory as devices take them: which a CPU can make, and wide ones as bytes.
#pragma once

#include <algorithm>
#include <cstdint>

#include "abi/message.h"
#include "abi/route_table.h"

namespace hv::service {

// Whether IN or OUT can make the access: 1, 2 or 4 bytes at one of 64 Ki ports (Intel SDM Vol. 1,
// 19.3). Its last bytes may lie past the last port.
inline bool IsPortAccess(const hv_access& access) {
  return access.space == HV_SPACE_PORT &&
         (access.width == 1 || access.width == 2 || access.width == 4) && access.address <= 0xffff;
}

// Whether a MOV can make the access, and it begins among the `bytes` registers from `base`.
inline bool IsMmioAccess(const hv_access& access, uint64_t base, uint64_t bytes) {
  return access.space == HV_SPACE_MMIO &&
         (access.width == 1 || access.width == 2 || access.width == 4 || access.width == 8) &&
         access.address - base < bytes;
}

// A read of byte-wide registers is a read of each that the access covers, lowest address first:
// `read(address)` gives a uint8_t. A width that no CPU has counts as 8 at the most.
template <typename Read>
uint64_t ReadBytes(const hv_access& access, Read read) {
  uint64_t value = 0;
  for (uint32_t i = 0; i < std::min<uint32_t>(access.width, 8); ++i) {
    value |= uint64_t{read(access.address + i)} << (8 * i);
  }
  return value;
}

// Likewise a write: `write(address, byte)`.
template <typename Write>
void WriteBytes(const hv_access& access, Write write) {
  for (uint32_t i = 0; i < std::min<uint32_t>(access.width, 8); ++i) {
    write(access.address + i, static_cast<uint8_t>(access.data >> (8 * i)));
  }
}

}  // namespace hv::service
