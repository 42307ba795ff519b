#include "ioapic_svc/i8259_pair.h"

#include "abi/platform.h"

namespace hv::ioapic {

void I8259Pair::Reset() {
  Master().Reset();
  Slave().Reset();
}

void I8259Pair::UpdateCascade() { Master().SetLine(I8259::kCascade, Slave().Pending() >= 0); }

void I8259Pair::SetIrq(uint8_t irq, bool level) {
  if (irq >= 8) {
    Slave().SetLine(irq - 8, level);
    UpdateCascade();
  } else if (irq != I8259::kCascade) {
    Master().SetLine(irq, level);
  }
}

bool I8259Pair::output() const { return Master().Pending() >= 0; }

uint8_t I8259Pair::vector() const {
  const int input = Master().Pending();
  if (input < 0) return Master().vector_base() + I8259::kSpuriousInput;
  if (input != I8259::kCascade) return static_cast<uint8_t>(Master().vector_base() + input);
  const int slave = Slave().Pending();
  return static_cast<uint8_t>(Slave().vector_base() + (slave < 0 ? I8259::kSpuriousInput : slave));
}

void I8259Pair::Acknowledge(uint8_t vector) {
  const uint8_t base = vector & 0xf8;
  const uint8_t input = vector & 7;
  if (base == Master().vector_base() && input != I8259::kCascade) {
    Master().Acknowledge(input);
  } else if (base == Slave().vector_base()) {
    // After a spurious IRQ 15 the cascade is in service all the same, and the guest ends it.
    Slave().Acknowledge(input);
    Master().Acknowledge(I8259::kCascade);
    UpdateCascade();
  }
}

bool I8259Pair::Read(uint16_t port, uint8_t& value) {
  switch (port) {
    case HV_PORT_PIC_MASTER: value = Master().ReadCommand(); break;
    case HV_PORT_PIC_MASTER + 1: value = Master().ReadData(); break;
    case HV_PORT_PIC_SLAVE: value = Slave().ReadCommand(); break;
    case HV_PORT_PIC_SLAVE + 1: value = Slave().ReadData(); break;
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
