#include "ioapic_svc/i8259.h"

#include "abi/platform.h"

namespace hv::ioapic {
namespace {

constexpr uint8_t kIcw1 = 1u << 4, kOcw3 = 1u << 3;
constexpr uint8_t kIcw1NeedsIcw4 = 1u << 0, kIcw1Single = 1u << 1;
constexpr uint8_t kIcw4AutoEoi = 1u << 1, kIcw4SpecialFullyNested = 1u << 4;
constexpr uint8_t kMasterLevelInputs = 0xf8, kSlaveLevelInputs = 0xde;  // ELCR bits that exist
constexpr uint8_t kSpuriousInput = 7;

}  // namespace

void I8259::Reset() {
  const uint8_t lines = s_.lines;
  const uint8_t elcr = s_.elcr;
  s_ = {};
  s_.lines = lines;
  s_.elcr = elcr;
  s_.imr = 0xff;
}

void I8259::SetLine(uint8_t input, bool level) {
  const auto bit = static_cast<uint8_t>(1u << input);
  const bool was = (s_.lines & bit) != 0;
  s_.lines = static_cast<uint8_t>(level ? s_.lines | bit : s_.lines & ~bit);
  if ((s_.elcr & bit) != 0) {
    s_.irr = static_cast<uint8_t>(level ? s_.irr | bit : s_.irr & ~bit);
  } else if (level && !was) {
    s_.irr |= bit;
  } else if (!level) {
    s_.irr &= static_cast<uint8_t>(~bit);  // the request is gone before it was acknowledged
  }
}

void I8259::SetElcr(uint8_t value) {
  s_.elcr = value & (slave_ ? kSlaveLevelInputs : kMasterLevelInputs);
}

// Distance of the first input in `mask` from the one of highest priority; 8: none.
int I8259::Priority(uint8_t mask) const {
  for (int i = 0; i < 8; ++i) {
    if ((mask >> ((i + s_.priority) & 7) & 1) != 0) return i;
  }
  return 8;
}

int I8259::Pending() const {
  const int wanted = Priority(s_.irr & static_cast<uint8_t>(~s_.imr));
  if (wanted == 8) return -1;
  uint8_t in_service = s_.isr;
  if (s_.special_mask != 0) in_service &= static_cast<uint8_t>(~s_.imr);
  // In special fully nested mode the slave's inputs may interrupt each other through the cascade.
  if (s_.special_fully_nested != 0 && !slave_) {
    in_service &= static_cast<uint8_t>(~(1u << I8259Pair::kCascade));
  }
  if (wanted >= Priority(in_service)) return -1;
  return (wanted + s_.priority) & 7;
}

void I8259::Acknowledge(uint8_t input) {
  const auto bit = static_cast<uint8_t>(1u << input);
  if (s_.auto_eoi != 0) {
    if (s_.rotate_on_auto_eoi != 0) s_.priority = (input + 1) & 7;
  } else {
    s_.isr |= bit;
  }
  if ((s_.elcr & bit) == 0) s_.irr &= static_cast<uint8_t>(~bit);
}

uint8_t I8259::Poll() {
  s_.poll = 0;
  const int input = Pending();
  if (input < 0) return 0;
  Acknowledge(static_cast<uint8_t>(input));
  return static_cast<uint8_t>(0x80 | input);
}

uint8_t I8259::ReadCommand() {
  if (s_.poll != 0) return Poll();
  return s_.read_isr != 0 ? s_.isr : s_.irr;
}

void I8259::EndOfInterrupt(uint8_t command) {
  const uint8_t action = command >> 5;
  const uint8_t named = command & 7;
  const int highest = Priority(s_.isr);
  const auto top = static_cast<uint8_t>((highest + s_.priority) & 7);
  switch (action) {
    case 0: s_.rotate_on_auto_eoi = 0; break;
    case 4: s_.rotate_on_auto_eoi = 1; break;
    case 1:  // non-specific EOI
    case 5:  // and rotate
      if (highest == 8) break;
      s_.isr &= static_cast<uint8_t>(~(1u << top));
      if (action == 5) s_.priority = (top + 1) & 7;
      break;
    case 3:  // specific EOI
    case 7:  // and rotate
      s_.isr &= static_cast<uint8_t>(~(1u << named));
      if (action == 7) s_.priority = (named + 1) & 7;
      break;
    case 6: s_.priority = (named + 1) & 7; break;
    default: break;
  }
}

void I8259::WriteCommand(uint8_t value) {
  if ((value & kIcw1) != 0) {
    Reset();
    s_.imr = 0;
    s_.irr = s_.lines & s_.elcr;  // edges are forgotten
    s_.init_step = 1;
    s_.needs_icw4 = value & kIcw1NeedsIcw4;
    s_.single = (value & kIcw1Single) != 0;
  } else if ((value & kOcw3) != 0) {
    if ((value & 2) != 0) s_.read_isr = value & 1;
    s_.poll = (value & 4) != 0;
    if ((value & 0x40) != 0) s_.special_mask = (value & 0x20) != 0;
  } else {
    EndOfInterrupt(value);
  }
}

void I8259::WriteData(uint8_t value) {
  switch (s_.init_step) {
    case 0:
      s_.imr = value;
      return;
    case 1:
      s_.vector_base = value & 0xf8;
      s_.init_step = s_.single != 0 ? (s_.needs_icw4 != 0 ? 3 : 0) : 2;
      return;
    case 2:  // ICW3: the wiring of a PC is what it is
      s_.init_step = s_.needs_icw4 != 0 ? 3 : 0;
      return;
    default:
      s_.auto_eoi = (value & kIcw4AutoEoi) != 0;
      s_.special_fully_nested = (value & kIcw4SpecialFullyNested) != 0;
      s_.init_step = 0;
  }
}

void I8259Pair::Reset() {
  s_ = {};
  Master().Reset();
  Slave().Reset();
}

void I8259Pair::UpdateCascade() {
  I8259 master = Master();
  master.SetLine(kCascade, false);
  if (Slave().Pending() >= 0) master.SetLine(kCascade, true);
}

void I8259Pair::SetIrq(uint8_t irq, bool level) {
  if (irq >= 8) {
    Slave().SetLine(irq - 8, level);
    UpdateCascade();
  } else if (irq != kCascade) {
    Master().SetLine(irq, level);
  }
}

bool I8259Pair::output() const { return Master().Pending() >= 0; }

uint8_t I8259Pair::vector() const {
  const int input = Master().Pending();
  if (input < 0) return Master().vector_base() + kSpuriousInput;
  if (input != kCascade) return static_cast<uint8_t>(Master().vector_base() + input);
  const int slave = Slave().Pending();
  return static_cast<uint8_t>(Slave().vector_base() + (slave < 0 ? kSpuriousInput : slave));
}

void I8259Pair::Acknowledge(uint8_t vector) {
  I8259 master = Master();
  I8259 slave = Slave();
  const int input = master.Pending();
  if ((vector & 0xf8) == slave.vector_base() && (vector & 0xf8) != master.vector_base()) {
    // Spurious when the slave's request is gone: then only the master is in service.
    if (slave.Pending() == (vector & 7)) slave.Acknowledge(vector & 7);
    if (input == kCascade) master.Acknowledge(kCascade);
    UpdateCascade();
  } else if (input == (vector & 7)) {
    master.Acknowledge(vector & 7);
  }
}

bool I8259Pair::Read(uint16_t port, uint8_t& value) {
  switch (port) {
    case HV_PORT_PIC_MASTER: value = Master().ReadCommand(); break;
    case HV_PORT_PIC_MASTER + 1: value = Master().ReadMask(); break;
    case HV_PORT_PIC_SLAVE: value = Slave().ReadCommand(); break;
    case HV_PORT_PIC_SLAVE + 1: value = Slave().ReadMask(); break;
    case HV_PORT_ELCR: value = Master().elcr(); break;
    case HV_PORT_ELCR + 1: value = Slave().elcr(); break;
    default: return false;
  }
  UpdateCascade();  // a poll may have acknowledged
  return true;
}

bool I8259Pair::Write(uint16_t port, uint8_t value) {
  switch (port) {
    case HV_PORT_PIC_MASTER: Master().WriteCommand(value); break;
    case HV_PORT_PIC_MASTER + 1: Master().WriteData(value); break;
    case HV_PORT_PIC_SLAVE: Slave().WriteCommand(value); break;
    case HV_PORT_PIC_SLAVE + 1: Slave().WriteData(value); break;
    case HV_PORT_ELCR: Master().SetElcr(value); break;
    case HV_PORT_ELCR + 1: Slave().SetElcr(value); break;
    default: return false;
  }
  UpdateCascade();
  return true;
}

}  // namespace hv::ioapic
