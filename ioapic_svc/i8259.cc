#include "ioapic_svc/i8259.h"

namespace hv::ioapic {
namespace {

constexpr uint8_t kIcw1 = 1u << 4, kIcw1NeedsIcw4 = 1u << 0, kIcw1Single = 1u << 1;
constexpr uint8_t kIcw2Vector = 0xf8;
constexpr uint8_t kIcw4AutoEoi = 1u << 1, kIcw4SpecialFullyNested = 1u << 4;
constexpr uint8_t kOcw3 = 1u << 3, kOcw3ReadIsr = 1u << 0, kOcw3ReadRegister = 1u << 1,
                  kOcw3Poll = 1u << 2, kOcw3SpecialMask = 1u << 5, kOcw3SetSpecialMask = 1u << 6;
constexpr uint8_t kPollInterrupt = 1u << 7;
// Bits 7:5 of OCW2: rotate, specific level, EOI.
enum Ocw2 : uint8_t {
  kRotateInAutoEoiClear = 0,
  kNonSpecificEoi = 1,
  kSpecificEoi = 3,
  kRotateInAutoEoiSet = 4,
  kRotateOnNonSpecificEoi = 5,
  kSetPriority = 6,
  kRotateOnSpecificEoi = 7,
};
// ELCR bits that exist: timer, keyboard, cascade, RTC and coprocessor are always edges.
constexpr uint8_t kMasterElcr = 0xf8, kSlaveElcr = 0xde;
constexpr int kNone = 8;

uint8_t Bit(int input) { return static_cast<uint8_t>(1u << input); }

}  // namespace

void I8259::Reset() {
  s_ = {};
  s_.imr = 0xff;
}

// The slave's output is a level, whatever ELCR says.
uint8_t I8259::LevelInputs() const {
  return s_.elcr | (role_ == Role::kMaster ? Bit(kCascade) : 0);
}

void I8259::SetLine(uint8_t input, bool level) {
  const uint8_t bit = Bit(input);
  const bool rising = level && (s_.lines & bit) == 0;
  s_.lines = static_cast<uint8_t>(level ? s_.lines | bit : s_.lines & ~bit);
  if ((LevelInputs() & bit) != 0) {
    s_.irr = static_cast<uint8_t>(level ? s_.irr | bit : s_.irr & ~bit);
  } else if (rising) {
    s_.irr |= bit;
  }
}

void I8259::SetElcr(uint8_t value) {
  s_.elcr = value & (role_ == Role::kMaster ? kMasterElcr : kSlaveElcr);
  s_.irr = static_cast<uint8_t>((s_.irr & ~s_.elcr) | (s_.lines & s_.elcr));
}

// How far the first of `inputs` is from the input of highest priority; kNone: there is none.
int I8259::Priority(uint8_t inputs) const {
  for (int i = 0; i < 8; ++i) {
    if ((inputs >> ((i + s_.priority) & 7) & 1) != 0) return i;
  }
  return kNone;
}

// In special mask mode a masked input in service neither blocks others nor is found by a
// non-specific EOI ("Special Mask Mode").
uint8_t I8259::InServiceUnlessMasked() const {
  return static_cast<uint8_t>(s_.special_mask != 0 ? s_.isr & ~s_.imr : s_.isr);
}

int I8259::Pending() const {
  if (s_.init_step != 0) return -1;
  const int wanted = Priority(s_.irr & static_cast<uint8_t>(~s_.imr));
  if (wanted == kNone) return -1;
  uint8_t in_service = InServiceUnlessMasked();
  // In special fully nested mode the slave's inputs may interrupt each other through the cascade.
  if (s_.special_fully_nested != 0 && role_ == Role::kMaster) {
    in_service &= static_cast<uint8_t>(~Bit(kCascade));
  }
  if (wanted >= Priority(in_service)) return -1;
  return (wanted + s_.priority) & 7;
}

void I8259::Acknowledge(uint8_t input) {
  const uint8_t bit = Bit(input);
  if (input == kSpuriousInput && (s_.irr & bit) == 0) return;
  if (s_.auto_eoi == 0) {
    s_.isr |= bit;
  } else if (s_.rotate_on_auto_eoi != 0) {
    s_.priority = (input + 1) & 7;
  }
  if ((LevelInputs() & bit) == 0) s_.irr &= static_cast<uint8_t>(~bit);
}

uint8_t I8259::Poll() {
  s_.poll = 0;
  const int input = Pending();
  if (input < 0) return 0;
  Acknowledge(static_cast<uint8_t>(input));
  return static_cast<uint8_t>(kPollInterrupt | input);
}

uint8_t I8259::ReadCommand() {
  if (s_.poll != 0) return Poll();
  return s_.read_isr != 0 ? s_.isr : s_.irr;
}

uint8_t I8259::ReadData() { return s_.poll != 0 ? Poll() : s_.imr; }

void I8259::WriteCommand(uint8_t value) {
  if ((value & kIcw1) != 0) {
    Initialize(value);
  } else if ((value & kOcw3) != 0) {
    WriteOcw3(value);
  } else {
    WriteOcw2(value);
  }
}

// ICW1 forgets edges and everything ICW4 and the OCWs have set; lines and ELCR are outside the
// chip.
void I8259::Initialize(uint8_t icw1) {
  I8259State fresh{};
  fresh.lines = s_.lines;
  fresh.elcr = s_.elcr;
  s_ = fresh;
  s_.irr = s_.lines & LevelInputs();
  s_.init_step = 1;
  s_.needs_icw4 = icw1 & kIcw1NeedsIcw4;
  s_.single = (icw1 & kIcw1Single) != 0;
}

void I8259::WriteOcw2(uint8_t value) {
  const uint8_t named = value & 7;
  const uint8_t after_named = (named + 1) & 7;
  switch (value >> 5) {
    case kRotateInAutoEoiClear: s_.rotate_on_auto_eoi = 0; break;
    case kRotateInAutoEoiSet: s_.rotate_on_auto_eoi = 1; break;
    case kNonSpecificEoi:
    case kRotateOnNonSpecificEoi: {
      const int highest = Priority(InServiceUnlessMasked());
      if (highest == kNone) break;
      const int input = (highest + s_.priority) & 7;
      s_.isr &= static_cast<uint8_t>(~Bit(input));
      if (value >> 5 == kRotateOnNonSpecificEoi) s_.priority = (input + 1) & 7;
      break;
    }
    case kSpecificEoi: s_.isr &= static_cast<uint8_t>(~Bit(named)); break;
    case kRotateOnSpecificEoi:
      s_.isr &= static_cast<uint8_t>(~Bit(named));
      s_.priority = after_named;
      break;
    case kSetPriority: s_.priority = after_named; break;
    default: break;  // no operation
  }
}

void I8259::WriteOcw3(uint8_t value) {
  if ((value & kOcw3ReadRegister) != 0) s_.read_isr = value & kOcw3ReadIsr;
  s_.poll = (value & kOcw3Poll) != 0;
  if ((value & kOcw3SetSpecialMask) != 0) s_.special_mask = (value & kOcw3SpecialMask) != 0;
}

void I8259::WriteData(uint8_t value) {
  const uint8_t after_icw3 = s_.needs_icw4 != 0 ? 3 : 0;
  switch (s_.init_step) {
    case 0: s_.imr = value; return;
    case 1:
      s_.vector_base = value & kIcw2Vector;
      s_.init_step = s_.single != 0 ? after_icw3 : 2;
      return;
    case 2: s_.init_step = after_icw3; return;  // ICW3: the wiring of a PC is what it is
    default:
      s_.auto_eoi = (value & kIcw4AutoEoi) != 0;
      s_.special_fully_nested = (value & kIcw4SpecialFullyNested) != 0;
      s_.init_step = 0;
  }
}

}  // namespace hv::ioapic
