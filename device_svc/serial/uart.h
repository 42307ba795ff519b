// A 16550A UART (PC16550D datasheet): registers, FIFOs, interrupts. Characters go in and out
// without a line speed: what is written is sent at once as long as the other side takes it.
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
  uint8_t line_errors;   // LSR 4:1, cleared by reading it
  uint8_t modem_delta;   // MSR 3:0
  uint8_t thre_pending;  // the transmitter-empty interrupt stands
  uint8_t receive_count;
  uint8_t reserved;
  uint8_t receive[kReceiveFifo];
  uint32_t transmit_count;
  uint8_t transmit[kTransmitQueue];
  uint32_t input_head, input_count;  // of what the host has sent and the FIFO has no room for yet
  uint8_t input[kInputQueue];
};

// Register addresses; the first two are the divisor latch while DLAB is set (table I).
enum class UartRegister : uint8_t {
  kData = 0,
  kInterruptEnable = 1,
  kInterruptIdAndFifoControl = 2,
  kLineControl = 3,
  kModemControl = 4,
  kLineStatus = 5,
  kModemStatus = 6,
  kScratch = 7
};

class Uart {
 public:
  explicit Uart(UartState& state) : s_(state) {}

  void Reset();
  uint8_t Read(UartRegister reg);
  void Write(UartRegister reg, uint8_t value);

  // The interrupt output as a PC has it: through a driver that OUT2 enables. Loopback takes OUT2
  // off its pin (8.8), and with it the interrupt.
  bool line() const;

  // What is to be transmitted. The transmitter is empty when there is nothing. A driver that gives
  // characters to a transmitter that is not empty has room for some; what goes beyond is lost.
  size_t transmit_count() const { return s_.transmit_count; }
  const uint8_t* transmit() const { return s_.transmit; }
  // The other side has taken the first `count`.
  void Transmitted(size_t count);

  // A character from the host. REQUIRES: input_room() > 0.
  void Receive(uint8_t character);
  size_t input_room() const { return kInputQueue - s_.input_count; }
  // Moves what the receive FIFO has room for out of the input queue; returns how much that was.
  // None in loopback, which disconnects the receiver.
  size_t FillFifo();

 private:
  bool dlab() const;
  bool fifos() const;
  bool loopback() const;
  size_t fifo_room() const;
  size_t trigger_level() const;
  void Push(uint8_t character);
  uint8_t TakeReceived();
  uint8_t InterruptId() const;
  uint8_t LineStatus() const;
  uint8_t ModemStatus() const;
  void Transmit(uint8_t character);
  void WriteInterruptEnable(uint8_t value);
  void WriteFifoControl(uint8_t value);
  void WriteModemControl(uint8_t value);

  UartState& s_;
};

}  // namespace hv::serial
