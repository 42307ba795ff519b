// One 8259A programmable interrupt controller (Intel 8259A datasheet, 231468-003), with the ELCR of
// a PC's ISA bridge in the place of the LTIM bit of ICW1.
#pragma once

#include <cstdint>

namespace hv::ioapic {

// Plain data: lives in the state segment.
struct I8259State {
  uint8_t irr, isr, imr;
  uint8_t lines;        // level of each input
  uint8_t elcr;         // 1: level-triggered input
  uint8_t vector_base;  // ICW2
  uint8_t priority;     // input of lowest priority + 1: the one that comes first
  uint8_t init_step;    // 0: ready; 1 to 3: the next byte at the odd port is ICW2 to ICW4
  uint8_t needs_icw4;
  uint8_t single;
  uint8_t auto_eoi;
  uint8_t rotate_on_auto_eoi;
  uint8_t read_isr;  // OCW3
  uint8_t poll;
  uint8_t special_mask;
  uint8_t special_fully_nested;
};

class I8259 {
 public:
  enum class Role : uint8_t { kMaster, kSlave };
  static constexpr uint8_t kCascade = 2;        // the master's input that is the slave's output
  static constexpr uint8_t kSpuriousInput = 7;  // what an acknowledge finds when nothing stands

  I8259(I8259State& state, Role role) : s_(state), role_(role) {}

  // Power-on: everything masked, nothing requested.
  void Reset();

  // An edge is remembered until it is acknowledged or the chip is initialised, even when the line
  // has fallen since: sources send pulses (abi/message.h, HV_KIND_LINE). REQUIRES: input < 8.
  void SetLine(uint8_t input, bool level);
  // Which input would be acknowledged now; -1: none, the output is low.
  int Pending() const;
  // The CPU has taken the vector of `input`. An input 7 that does not request is spurious and
  // enters no service.
  void Acknowledge(uint8_t input);
  uint8_t vector_base() const { return s_.vector_base; }

  // Even port: IRR or ISR; odd port: IMR. After a poll command either is the acknowledge.
  uint8_t ReadCommand();
  uint8_t ReadData();
  // Even port: ICW1, OCW2, OCW3; odd port: ICW2 to ICW4, OCW1.
  void WriteCommand(uint8_t value);
  void WriteData(uint8_t value);
  uint8_t elcr() const { return s_.elcr; }
  void SetElcr(uint8_t value);

 private:
  uint8_t LevelInputs() const;
  int Priority(uint8_t inputs) const;
  uint8_t InServiceUnlessMasked() const;
  void Initialize(uint8_t icw1);
  void WriteOcw2(uint8_t value);
  void WriteOcw3(uint8_t value);
  uint8_t Poll();

  I8259State& s_;
  const Role role_;
};

}  // namespace hv::ioapic
