// Message-signalled interrupts: what an address and data mean (Intel SDM vol. 3, 11.11).
#pragma once

#include <cstdint>
#include <optional>

#include "abi/message.h"

namespace hv::ioapic {

//  Address                                      Data
//  31    20 19         12  3     2    1  0      15    14      13 11 10      8 7      0
// +--------+-------------+---+------+-----+    +-----+-------+-----+---------+--------+
// |  FEEH  | destination |RH | mode |  0  |    |trig | level |  0  | deliver | vector |
// +--------+-------------+---+------+-----+    +-----+-------+-----+---------+--------+
struct Msi {
  uint64_t address;
  uint32_t data;
};

// The interrupt that writing the message causes. None: the address is not one of the local APICs'
// (0FEExxxxxH), so the write is one to memory and no interrupt.
std::optional<hv_interrupt> Translate(const Msi& msi);

}  // namespace hv::ioapic
