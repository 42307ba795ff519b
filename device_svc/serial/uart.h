// A 16550A UART (PC16550D datasheet): registers, FIFOs, interrupts. Characters go in and out without
// a line speed: what is written is sent at once as long as the other side takes it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hv::serial {

inline constexpr size_t kReceiveFifo = 16;
inline constexpr size_t kTransmitQueue = 64;
inline constexpr size_t kInputQueue = 1024;

// Plain data.
struct UartState {
  uint8_t ier, fcr, lcr, mcr, scr;
  uint8_t divisor_low, divisor_high;
  uint8_t line_errors;       // LSR 4:1, cleared by reading it
  uint8_t modem_delta;       // MSR 3:0
  uint8_t thre_pending;      // the transmitter-empty interrupt stands
  uint8_t receive_count;
  uint8_t loopback_lines;    // modem inputs as looped back
  uint8_t receive[kReceiveFifo];
  uint32_t transmit_count;
  uint8_t transmit[kTransmitQueue];
  uint32_t input_head, input_count;  // of what the host has sent and the FIFO has no room for yet
  uint8_t input[kInputQueue];
};

class Uart {
 public:
  explicit Uart(UartState& state) : s_(state) {}

  void Reset();
  // Registers 0 to 7. `room`: how many characters the other side takes now.
  uint8_t Read(uint8_t reg);
  void Write(uint8_t reg, uint8_t value);

  // The interrupt output, gated by OUT2 as on a PC.
  bool line() const;

  // What is to be transmitted. The transmitter is empty when there is nothing.
  size_t transmit_count() const { return s_.transmit_count; }
  const uint8_t* transmit() const { return s_.transmit; }
  // The other side has taken the first `count`.
  void Transmitted(size_t count);

  // A character from the host. REQUIRES: input_room() > 0.
  void Receive(uint8_t character);
  size_t input_room() const { return kInputQueue - s_.input_count; }
  // Characters moved from the input queue into the FIFO since the last call.
  size_t FillFifo();

 private:
  bool dlab() const { return (s_.lcr & 0x80) != 0; }
  bool fifos() const { return (s_.fcr & 1) != 0; }
  bool loopback() const { return (s_.mcr & 0x10) != 0; }
  size_t fifo_room() const;
  void Push(uint8_t character);
  uint8_t InterruptId() const;
  uint8_t LineStatus() const;
  uint8_t ModemStatus() const;
  void WriteFifoControl(uint8_t value);
  void WriteModemControl(uint8_t value);

  UartState& s_;
};

}  // namespace hv::serial
