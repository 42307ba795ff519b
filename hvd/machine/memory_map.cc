#include "hvd/machine/memory_map.h"

#include <algorithm>

#include "abi/endpoint.h"
#include "abi/platform.h"
#include "abi/route_table.h"

namespace hv::hvd {
namespace {

constexpr uint32_t kVcpu = HV_ENDPOINT(HV_ROLE_VCPU, 0);
constexpr uint32_t kMmu = HV_ENDPOINT(HV_ROLE_MMU, 0);
constexpr uint32_t kIoapic = HV_ENDPOINT(HV_ROLE_IOAPIC, 0);
constexpr uint32_t kTimer = HV_ENDPOINT(HV_ROLE_TIMER, 0);
constexpr uint32_t kSerial = HV_ENDPOINT(HV_ROLE_SERIAL, 0);
constexpr uint32_t kPower = HV_ENDPOINT(HV_ROLE_POWER, 0);

void AddMemory(hv::v1::MmuServiceConfig& map, uint64_t address, uint64_t bytes, uint64_t offset) {
  auto& range = *map.add_memory();
  range.set_address(address);
  range.set_bytes(bytes);
  range.set_offset(offset);
}

struct Place {
  hv_space space;
  uint64_t first;
  uint64_t bytes;
  uint32_t endpoint;
  uint32_t writes = 0;  // HV_ROUTE_*
};

constexpr uint32_t kPosted = HV_ROUTE_POSTED_WRITES;
constexpr uint32_t kLate = HV_ROUTE_POSTED_WRITES | HV_ROUTE_LATE_WRITES;
constexpr uint32_t kCounted = HV_ROUTE_COUNTED_WRITES;

// Ports and registers of the local APIC page that are written without an answer: none of these
// writes can fail or change what the guest reads next, and the ring keeps their order. Late may be
// what nobody waits for but who reads the console: not EOI, ICR or initial count, from which an
// interrupt follows that the guest or another of its CPUs waits for.
constexpr Place kPlaces[] = {
    {HV_SPACE_PORT, HV_PORT_PIC_MASTER, 2, kIoapic},
    {HV_SPACE_PORT, HV_PORT_PIT, 4, kTimer},
    {HV_SPACE_PORT, HV_PORT_I8042_DATA, 1, kPower},
    {HV_SPACE_PORT, HV_PORT_SPEAKER, 1, kTimer},
    {HV_SPACE_PORT, HV_PORT_I8042_COMMAND, 1, kPower},
    {HV_SPACE_PORT, HV_PORT_CMOS_INDEX, 2, kTimer},
    {HV_SPACE_PORT, HV_PORT_POST, 1, kMmu, kCounted},
    {HV_SPACE_PORT, HV_PORT_PIC_SLAVE, 2, kIoapic},
    {HV_SPACE_PORT, HV_PORT_DEBUG_EXIT, 4, kPower},
    {HV_SPACE_PORT, HV_PORT_COM1, 1, kSerial, kLate},
    {HV_SPACE_PORT, HV_PORT_COM1 + 1, 7, kSerial},
    {HV_SPACE_PORT, HV_PORT_ELCR, 2, kIoapic},
    {HV_SPACE_PORT, HV_PORT_PM1_EVENT, 4, kPower},
    {HV_SPACE_PORT, HV_PORT_PM1_CONTROL, 2, kPower},
    {HV_SPACE_PORT, HV_PORT_PM_TIMER, 4, kTimer},
    {HV_SPACE_PORT, HV_PORT_RESET, 1, kPower},
    {HV_SPACE_MMIO, HV_IOAPIC_BASE, HV_IOAPIC_BYTES, kIoapic},
    {HV_SPACE_MMIO, HV_HPET_BASE, HV_HPET_BYTES, kTimer},
    {HV_SPACE_MMIO, HV_LOCAL_APIC_BASE, 0xb0, kVcpu},
    {HV_SPACE_MMIO, HV_LOCAL_APIC_BASE + 0xb0, 0x10, kVcpu, kPosted},  // EOI
    {HV_SPACE_MMIO, HV_LOCAL_APIC_BASE + 0xc0, 0x240, kVcpu},
    {HV_SPACE_MMIO, HV_LOCAL_APIC_BASE + 0x300, 0x20, kVcpu, kPosted},  // ICR
    {HV_SPACE_MMIO, HV_LOCAL_APIC_BASE + 0x320, 0x60, kVcpu},
    {HV_SPACE_MMIO, HV_LOCAL_APIC_BASE + 0x380, 0x10, kVcpu, kPosted},  // initial count
    {HV_SPACE_MMIO, HV_LOCAL_APIC_BASE + 0x390, HV_LOCAL_APIC_BYTES - 0x390, kVcpu},
};

}  // namespace

hv::v1::MmuServiceConfig BuildMemoryMap(const hv::v1::MachineConfig& config) {
  hv::v1::MmuServiceConfig map;
  const uint64_t low = std::min<uint64_t>(config.memory_bytes(), HV_LOW_RAM_END);
  AddMemory(map, 0, low, 0);
  if (config.memory_bytes() > low) {
    AddMemory(map, HV_HIGH_RAM_BASE, config.memory_bytes() - low, low);
  }
  for (const Place& place : kPlaces) {
    auto& route = *map.add_routes();
    route.set_first(place.first);
    route.set_last(place.first + place.bytes - 1);
    route.set_endpoint(place.endpoint);
    route.set_space(place.space);
    route.set_posted_writes((place.writes & HV_ROUTE_POSTED_WRITES) != 0);
    route.set_late_writes((place.writes & HV_ROUTE_LATE_WRITES) != 0);
    route.set_counted_writes((place.writes & HV_ROUTE_COUNTED_WRITES) != 0);
  }
  return map;
}

}  // namespace hv::hvd
