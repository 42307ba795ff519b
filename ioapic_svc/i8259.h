// The 8259A pair of a PC with the edge/level control registers (Intel 8259A datasheet; ISA bridge
// datasheets for ELCR).
#pragma once

#include <cstdint>

namespace hv::ioapic {

// One 8259A. Plain data.
struct I8259State {
  uint8_t irr, isr, imr;
  uint8_t lines;          // level of each input
  uint8_t elcr;           // 1: level-triggered input
  uint8_t vector_base;    // ICW2
  uint8_t priority;       // input of lowest priority + 1: the one that comes first
  uint8_t init_step;      // 0: ready; 1 to 3: the next byte at the odd port is ICW2 to ICW4
  uint8_t needs_icw4;
  uint8_t single;
  uint8_t auto_eoi;
  uint8_t rotate_on_auto_eoi;
  uint8_t read_isr;       // OCW3
  uint8_t poll;
  uint8_t special_mask;
  uint8_t special_fully_nested;
};

class I8259 {
 public:
  I8259(I8259State& state, bool slave) : s_(state), slave_(slave) {}

  void Reset();
  void SetLine(uint8_t input, bool level);
  // Which input would be acknowledged now; -1: none, the output is low.
  int Pending() const;
  // Interrupt acknowledge of `input`.
  void Acknowledge(uint8_t input);
  uint8_t vector_base() const { return s_.vector_base; }

  uint8_t ReadCommand();
  uint8_t ReadMask() const { return s_.imr; }
  void WriteCommand(uint8_t value);
  void WriteData(uint8_t value);
  uint8_t elcr() const { return s_.elcr; }
  void SetElcr(uint8_t value);

 private:
  int Priority(uint8_t mask) const;
  void EndOfInterrupt(uint8_t command);
  uint8_t Poll();

  I8259State& s_;
  const bool slave_;
};

struct I8259PairState {
  I8259State master;
  I8259State slave;
};

class I8259Pair {
 public:
  static constexpr uint8_t kCascade = 2;

  explicit I8259Pair(I8259PairState& state) : s_(state) {}

  void Reset();
  // IRQ 0 to 15; IRQ 2 is the cascade and has no line of its own.
  void SetIrq(uint8_t irq, bool level);
  // The output, and the vector an INTA would read now (spurious 7 or 15 when nothing stands).
  bool output() const;
  uint8_t vector() const;
  // The CPU has read `vector`.
  void Acknowledge(uint8_t vector);

  // Ports 20H, 21H, A0H, A1H, 4D0H, 4D1H. False: none of these.
  bool Read(uint16_t port, uint8_t& value);
  bool Write(uint16_t port, uint8_t value);

 private:
  I8259 Master() const { return I8259(s_.master, false); }
  I8259 Slave() const { return I8259(s_.slave, true); }
  void UpdateCascade();

  I8259PairState& s_;
};

}  // namespace hv::ioapic
