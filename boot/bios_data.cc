#include "boot/bios_data.h"

#include <cstdint>

#include "abi/platform.h"

namespace hv::boot {
namespace {

// Of the BIOS data area, at segment 40H (IBM PC AT Technical Reference, "ROM BIOS Data Area";
// the extended area's segment: PS/2 and PC BIOS Interface Technical Reference).
constexpr uint64_t kCom1Port = 0x400, kExtendedSegment = 0x40e, kEquipment = 0x410,
                   kBaseMemoryKib = 0x413;
// A floating-point unit, and how many serial ports.
constexpr uint16_t kHasFpu = 1 << 1, kOneSerialPort = 1 << 9;
// The extended area begins with its own size.
constexpr uint8_t kExtendedKib = (0xa0000 - kLowMemoryEnd) >> 10;

}  // namespace

void WriteBiosData(const GuestMemory& memory) {
  memory.Put(kCom1Port, uint16_t{HV_PORT_COM1});
  memory.Put(kExtendedSegment, static_cast<uint16_t>(kLowMemoryEnd >> 4));
  memory.Put(kEquipment, static_cast<uint16_t>(kHasFpu | kOneSerialPort));
  memory.Put(kBaseMemoryKib, static_cast<uint16_t>(kLowMemoryEnd >> 10));
  memory.Put(kLowMemoryEnd, kExtendedKib);
}

}  // namespace hv::boot
