// A whole ioapic_svc for tests, with what its peers and the guest ask of it.
#pragma once

#include <vector>

#include "abi/endpoint.h"
#include "abi/platform.h"
#include "ioapic_svc/ioapic_core.h"
#include "service/test_service.h"

namespace hv::ioapic {

class TestService : public service::TestService<IoapicCore, State> {
 public:
  static constexpr uint32_t kVcpu = HV_ENDPOINT(HV_ROLE_VCPU, 0);
  static constexpr uint32_t kTimer = HV_ENDPOINT(HV_ROLE_TIMER, 0);
  static constexpr uint32_t kSerial = HV_ENDPOINT(HV_ROLE_SERIAL, 0);

  bool Line(uint32_t gsi, bool level, uint32_t from = kTimer) {
    return Send(from, HV_KIND_LINE, hv_line{.gsi = gsi, .level = level ? 1u : 0u});
  }
  void Pulse(uint32_t gsi) {
    Line(gsi, true);
    Line(gsi, false);
  }
  uint32_t ReadIoapic(uint8_t index) {
    Write(HV_SPACE_MMIO, HV_IOAPIC_BASE, 4, index);
    return static_cast<uint32_t>(Read(HV_SPACE_MMIO, HV_IOAPIC_BASE + 0x10, 4));
  }
  void WriteIoapic(uint8_t index, uint32_t value) {
    Write(HV_SPACE_MMIO, HV_IOAPIC_BASE, 4, index);
    Write(HV_SPACE_MMIO, HV_IOAPIC_BASE + 0x10, 4, value);
  }
  void SetEntry(uint32_t input, uint64_t entry) {
    WriteIoapic(static_cast<uint8_t>(0x11 + 2 * input), static_cast<uint32_t>(entry >> 32));
    WriteIoapic(static_cast<uint8_t>(0x10 + 2 * input), static_cast<uint32_t>(entry));
  }
  // As Linux does: vectors 30H to 3FH, all unmasked.
  void InitializePics() {
    Out(0x20, 0x11), Out(0x21, 0x30), Out(0x21, 0x04), Out(0x21, 0x01);
    Out(0xa0, 0x11), Out(0xa1, 0x38), Out(0xa1, 0x02), Out(0xa1, 0x01);
  }

  std::vector<hv_interrupt> Interrupts() { return Take<hv_interrupt>(HV_KIND_INTERRUPT); }
  std::vector<hv_intr> Intrs() { return Take<hv_intr>(HV_KIND_INTR); }
};

}  // namespace hv::ioapic
