// The 82093AA I/O APIC, with the EOI register of later versions (82093AA datasheet; Intel ICH
// datasheet, 9.5).
#pragma once

#include <cstdint>
#include <optional>

#include "abi/message.h"
#include "abi/platform.h"

namespace hv::ioapic {

// Plain data: lives in the state segment.
struct IoapicState {
  uint64_t entries[HV_IOAPIC_INPUTS];  // RedirectionEntry
  uint32_t lines;                      // level of each input
  uint32_t select;                     // IOREGSEL
  uint32_t id;                         // bits 27:24
  uint32_t reserved;
};

class Ioapic {
 public:
  static constexpr uint32_t kInputs = HV_IOAPIC_INPUTS;

  explicit Ioapic(IoapicState& state) : s_(state) {}

  void Reset();

  // An input changes. The interrupt to deliver now, if any. REQUIRES: input < kInputs.
  std::optional<hv_interrupt> SetLine(uint32_t input, bool level);
  // EOI of `vector`: clears remote IRR; inputs still asserted deliver again, one a call of
  // `deliver`.
  template <typename Deliver>
  void EndOfInterrupt(uint8_t vector, Deliver deliver) {
    for (uint32_t input = 0; input < kInputs; ++input) {
      if (const auto again = EndInput(input, vector)) deliver(*again);
    }
  }

  // Accesses by offset in the page; 32 bits at IOREGSEL (00H), IOWIN (10H), EOIR (40H).
  uint32_t Read(uint64_t offset) const;
  // The EOI register's vector is returned in `end_of_interrupt` for the caller to pass on.
  std::optional<hv_interrupt> Write(uint64_t offset, uint32_t value,
                                    std::optional<uint8_t>& end_of_interrupt);

 private:
  uint32_t ReadRegister() const;
  std::optional<hv_interrupt> WriteRegister(uint32_t value);
  std::optional<hv_interrupt> WriteEntry(uint32_t input, bool high, uint32_t value);
  std::optional<hv_interrupt> EndInput(uint32_t input, uint8_t vector);
  std::optional<hv_interrupt> DeliverLevel(uint32_t input);

  IoapicState& s_;
};

}  // namespace hv::ioapic
