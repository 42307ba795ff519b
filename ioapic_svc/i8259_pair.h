// The two 8259As of a PC: slave on the master's input 2, their ports, and the vector a CPU reads.
#pragma once

#include <cstdint>

#include "ioapic_svc/i8259.h"

namespace hv::ioapic {

// Plain data: lives in the state segment.
struct I8259PairState {
  I8259State master;
  I8259State slave;
};

class I8259Pair {
 public:
  explicit I8259Pair(I8259PairState& state) : s_(state) {}

  void Reset();
  // IRQ 0 to 15; IRQ 2 is the cascade and has no line of its own.
  void SetIrq(uint8_t irq, bool level);
  // The output, and the vector an INTA would read now (spurious 7 or 15 when nothing stands).
  bool output() const;
  uint8_t vector() const;
  // The CPU has taken `vector`, which is what vector() was when the CPU was told. It is honoured
  // even when the request has been masked or has gone since: the guest is in its handler and ends
  // it.
  void Acknowledge(uint8_t vector);

  // Ports 20H, 21H, A0H, A1H, 4D0H, 4D1H. False: none of these.
  bool Read(uint16_t port, uint8_t& value);
  bool Write(uint16_t port, uint8_t value);

 private:
  I8259 Master() const { return I8259(s_.master, I8259::Role::kMaster); }
  I8259 Slave() const { return I8259(s_.slave, I8259::Role::kSlave); }
  void UpdateCascade();

  I8259PairState& s_;
};

}  // namespace hv::ioapic
