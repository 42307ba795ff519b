#include "ioapic_svc/ioapic.h"

#include "ioapic_svc/redirection_entry.h"

namespace hv::ioapic {
namespace {

enum Offset : uint64_t { kSelect = 0x00, kWindow = 0x10, kEoi = 0x40 };
enum Index : uint32_t { kId = 0x00, kVersion = 0x01, kArbitration = 0x02, kFirstEntry = 0x10 };

constexpr uint32_t kIdMask = 0x0f000000;
// Version 20H has the EOI register.
constexpr uint32_t kVersionValue = 0x20 | (HV_IOAPIC_INPUTS - 1) << 16;

}  // namespace

void Ioapic::Reset() {
  s_ = {};
  for (uint64_t& entry : s_.entries) entry = RedirectionEntry::kMasked;
}

// A level input interrupts while it is asserted, unmasked, and its last interrupt has been ended.
std::optional<hv_interrupt> Ioapic::DeliverLevel(uint32_t input) {
  const RedirectionEntry entry(s_.entries[input]);
  const bool asserted = (s_.lines >> input & 1) != 0;
  if (!entry.level() || !asserted || entry.masked() || entry.remote_irr()) return std::nullopt;
  s_.entries[input] |= RedirectionEntry::kRemoteIrr;
  return entry.Message();
}

std::optional<hv_interrupt> Ioapic::SetLine(uint32_t input, bool level) {
  const uint32_t bit = 1u << input;
  const bool rising = level && (s_.lines & bit) == 0;
  s_.lines = level ? s_.lines | bit : s_.lines & ~bit;
  if (!rising) return std::nullopt;
  const RedirectionEntry entry(s_.entries[input]);
  if (entry.level()) return DeliverLevel(input);
  // An edge that arrives while the input is masked is lost (3.2.4, bit 16).
  if (entry.masked()) return std::nullopt;
  return entry.Message();
}

std::optional<hv_interrupt> Ioapic::EndInput(uint32_t input, uint8_t vector) {
  const RedirectionEntry entry(s_.entries[input]);
  if (entry.vector() != vector || !entry.level() || !entry.remote_irr()) return std::nullopt;
  s_.entries[input] &= ~RedirectionEntry::kRemoteIrr;
  return DeliverLevel(input);
}

uint32_t Ioapic::ReadRegister() const {
  const uint32_t index = s_.select & 0xff;
  switch (index) {
    case kId: return s_.id;
    case kVersion: return kVersionValue;
    case kArbitration: return s_.id;  // loaded with the id (3.2.3); there is no APIC bus to win
    default: break;
  }
  const uint32_t input = (index - kFirstEntry) / 2;
  if (index < kFirstEntry || input >= kInputs) return 0;
  return static_cast<uint32_t>(s_.entries[input] >> (index % 2 == 0 ? 0 : 32));
}

std::optional<hv_interrupt> Ioapic::WriteRegister(uint32_t value) {
  const uint32_t index = s_.select & 0xff;
  if (index == kId) s_.id = value & kIdMask;
  const uint32_t input = (index - kFirstEntry) / 2;
  if (index < kFirstEntry || input >= kInputs) return std::nullopt;
  return WriteEntry(input, index % 2 != 0, value);
}

std::optional<hv_interrupt> Ioapic::WriteEntry(uint32_t input, bool high, uint32_t value) {
  const uint64_t old = s_.entries[input];
  const uint64_t mask =
      (high ? 0xffffffff00000000ull : 0xffffffffull) & RedirectionEntry::kWritable;
  const uint64_t wide = high ? uint64_t{value} << 32 : value;
  s_.entries[input] = (old & ~mask) | (wide & mask);
  // Operating systems switch a level input to edge and back to clear a remote IRR that hangs.
  if (!RedirectionEntry(s_.entries[input]).level()) {
    s_.entries[input] &= ~RedirectionEntry::kRemoteIrr;
  }
  return DeliverLevel(input);
}

uint32_t Ioapic::Read(uint64_t offset) const {
  switch (offset) {
    case kSelect: return s_.select;
    case kWindow: return ReadRegister();
    default: return 0;
  }
}

std::optional<hv_interrupt> Ioapic::Write(uint64_t offset, uint32_t value,
                                          std::optional<uint8_t>& end_of_interrupt) {
  switch (offset) {
    case kSelect: s_.select = value & 0xff; return std::nullopt;
    case kWindow: return WriteRegister(value);
    case kEoi: end_of_interrupt = static_cast<uint8_t>(value); return std::nullopt;
    default: return std::nullopt;
  }
}

}  // namespace hv::ioapic
