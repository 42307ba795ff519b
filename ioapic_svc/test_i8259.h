// The fixture of the 8259A's tests: a chip that its processor and its lines work on.
#pragma once

#include "gtest/gtest.h"
#include "ioapic_svc/i8259.h"

namespace hv::ioapic {

class I8259Test : public testing::Test {
 protected:
  I8259Test() {
    chip_.Reset();
    Initialize();
  }
  void Initialize(uint8_t icw4 = 0x01) {
    chip_.WriteCommand(0x11);
    chip_.WriteData(0x20);
    chip_.WriteData(0x04);
    chip_.WriteData(icw4);
  }
  void Pulse(uint8_t input) {
    chip_.SetLine(input, true);
    chip_.SetLine(input, false);
  }
  // A CPU that takes what is pending; -1: nothing.
  int Take() {
    const int input = chip_.Pending();
    if (input >= 0) chip_.Acknowledge(static_cast<uint8_t>(input));
    return input;
  }
  uint8_t Isr() {
    chip_.WriteCommand(0x0b);
    return chip_.ReadCommand();
  }
  uint8_t Irr() {
    chip_.WriteCommand(0x0a);
    return chip_.ReadCommand();
  }

  I8259State state_{};
  I8259 chip_{state_, I8259::Role::kMaster};
};

}  // namespace hv::ioapic
