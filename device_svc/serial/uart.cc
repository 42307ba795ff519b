#include "device_svc/serial/uart.h"

#include <algorithm>
#include <cstring>

namespace hv::serial {
namespace {

// Table II and sections 8.1 to 8.9 of the datasheet.
constexpr uint8_t kIerData = 1, kIerEmpty = 2, kIerLine = 4, kIerModem = 8, kIerBits = 15;
constexpr uint8_t kIirNone = 1, kIirModem = 0, kIirEmpty = 2, kIirData = 4, kIirTimeout = 12,
                  kIirLine = 6, kIirFifos = 0xc0;
constexpr uint8_t kFcrEnable = 1, kFcrClearReceive = 2, kFcrClearTransmit = 4, kFcrKept = 0xc9;
constexpr int kFcrTriggerShift = 6;
constexpr uint8_t kLcrDlab = 0x80;
constexpr uint8_t kMcrDtr = 1, kMcrRts = 2, kMcrOut1 = 4, kMcrOut2 = 8, kMcrLoopback = 0x10,
                  kMcrBits = 0x1f;
constexpr uint8_t kLsrData = 1, kLsrOverrun = 2, kLsrHoldingEmpty = 0x20, kLsrEmpty = 0x40;
constexpr uint8_t kMsrCts = 0x10, kMsrDsr = 0x20, kMsrRing = 0x40, kMsrDcd = 0x80;
constexpr uint8_t kMsrTrailingRing = 4;
constexpr int kMsrDeltaShift = 4;  // from a line to its delta bit

// Somebody is there.
constexpr uint8_t kHostLines = kMsrCts | kMsrDsr | kMsrDcd;
constexpr uint8_t kDivisor9600 = 12;

}  // namespace

bool Uart::dlab() const { return (s_.lcr & kLcrDlab) != 0; }
bool Uart::fifos() const { return (s_.fcr & kFcrEnable) != 0; }
bool Uart::loopback() const { return (s_.mcr & kMcrLoopback) != 0; }

void Uart::Reset() {
  s_ = {};
  s_.divisor_low = kDivisor9600;
}

size_t Uart::fifo_room() const {
  const size_t capacity = fifos() ? kReceiveFifo : 1;
  return capacity - std::min<size_t>(s_.receive_count, capacity);
}

size_t Uart::trigger_level() const {
  constexpr uint8_t kLevels[] = {1, 4, 8, 14};
  return fifos() ? kLevels[s_.fcr >> kFcrTriggerShift] : 1;
}

void Uart::Push(uint8_t character) {
  if (fifo_room() != 0) {
    s_.receive[s_.receive_count++] = character;
    return;
  }
  s_.line_errors |= kLsrOverrun;
  // A full FIFO keeps what it has; the lone buffer register is overwritten (8.4, bit 1).
  if (!fifos()) s_.receive[0] = character;
}

uint8_t Uart::TakeReceived() {
  if (s_.receive_count == 0) return 0;
  const uint8_t character = s_.receive[0];
  --s_.receive_count;
  std::memmove(s_.receive, s_.receive + 1, s_.receive_count);
  return character;
}

void Uart::Receive(uint8_t character) {
  s_.input[(s_.input_head + s_.input_count) % kInputQueue] = character;
  ++s_.input_count;
}

size_t Uart::FillFifo() {
  size_t moved = 0;
  while (s_.input_count != 0 && fifo_room() != 0 && !loopback()) {
    Push(s_.input[s_.input_head]);
    s_.input_head = (s_.input_head + 1) % kInputQueue;
    --s_.input_count;
    ++moved;
  }
  return moved;
}

void Uart::Transmit(uint8_t character) {
  if (loopback()) {
    Push(character);
    s_.thre_pending = s_.transmit_count == 0;
  } else if (s_.transmit_count < kTransmitQueue) {
    s_.transmit[s_.transmit_count++] = character;
    s_.thre_pending = 0;
  }
}

void Uart::Transmitted(size_t count) {
  count = std::min<size_t>(count, s_.transmit_count);
  s_.transmit_count -= static_cast<uint32_t>(count);
  std::memmove(s_.transmit, s_.transmit + count, s_.transmit_count);
  if (count != 0 && s_.transmit_count == 0) s_.thre_pending = 1;
}

// The holding register is empty only when everything is gone: a driver may then fill a whole FIFO.
uint8_t Uart::LineStatus() const {
  uint8_t status = s_.line_errors;
  if (s_.receive_count != 0) status |= kLsrData;
  if (s_.transmit_count == 0) status |= kLsrHoldingEmpty | kLsrEmpty;
  return status;
}

uint8_t Uart::ModemStatus() const {
  uint8_t lines = kHostLines;
  if (loopback()) {
    lines = 0;
    if ((s_.mcr & kMcrDtr) != 0) lines |= kMsrDsr;
    if ((s_.mcr & kMcrRts) != 0) lines |= kMsrCts;
    if ((s_.mcr & kMcrOut1) != 0) lines |= kMsrRing;
    if ((s_.mcr & kMcrOut2) != 0) lines |= kMsrDcd;
  }
  return lines | s_.modem_delta;
}

// By priority (table III).
uint8_t Uart::InterruptId() const {
  if ((s_.ier & kIerLine) != 0 && s_.line_errors != 0) return kIirLine;
  if ((s_.ier & kIerData) != 0 && s_.receive_count != 0) {
    // Below the trigger level it is the time-out of four character times (8.11), which are none on
    // a line without a speed.
    return s_.receive_count >= trigger_level() ? kIirData : kIirTimeout;
  }
  if ((s_.ier & kIerEmpty) != 0 && s_.thre_pending != 0) return kIirEmpty;
  if ((s_.ier & kIerModem) != 0 && s_.modem_delta != 0) return kIirModem;
  return kIirNone;
}

bool Uart::line() const {
  return InterruptId() != kIirNone && (s_.mcr & kMcrOut2) != 0 && !loopback();
}

uint8_t Uart::Read(UartRegister reg) {
  switch (reg) {
    case UartRegister::kData: return dlab() ? s_.divisor_low : TakeReceived();
    case UartRegister::kInterruptEnable: return dlab() ? s_.divisor_high : s_.ier;
    case UartRegister::kInterruptIdAndFifoControl: {
      const uint8_t id = InterruptId();
      if (id == kIirEmpty) s_.thre_pending = 0;  // reading it answers it
      return static_cast<uint8_t>(id | (fifos() ? kIirFifos : 0));
    }
    case UartRegister::kLineControl: return s_.lcr;
    case UartRegister::kModemControl: return s_.mcr;
    case UartRegister::kLineStatus: {
      const uint8_t status = LineStatus();
      s_.line_errors = 0;
      return status;
    }
    case UartRegister::kModemStatus: {
      const uint8_t status = ModemStatus();
      s_.modem_delta = 0;
      return status;
    }
    case UartRegister::kScratch: return s_.scr;
  }
  return 0xff;
}

void Uart::WriteInterruptEnable(uint8_t value) {
  // A transmitter that is empty when its interrupt is enabled raises it: drivers start by that.
  if ((value & kIerEmpty) != 0 && (s_.ier & kIerEmpty) == 0 && s_.transmit_count == 0) {
    s_.thre_pending = 1;
  }
  s_.ier = value & kIerBits;
}

void Uart::WriteFifoControl(uint8_t value) {
  const bool enable = (value & kFcrEnable) != 0;
  if (enable != fifos()) s_.receive_count = 0;
  if (!enable) value = 0;  // the other bits are programmed only together with this one (8.5)
  s_.fcr = value & kFcrKept;
  if ((value & kFcrClearReceive) != 0) s_.receive_count = 0;
  // What is on its way out has left the FIFO: clearing it takes nothing back.
  if ((value & kFcrClearTransmit) != 0 && s_.transmit_count == 0) s_.thre_pending = 1;
}

// Only loopback lets the guest change what the modem inputs see.
void Uart::WriteModemControl(uint8_t value) {
  const uint8_t before = ModemStatus();
  s_.mcr = value & kMcrBits;
  const uint8_t after = ModemStatus();
  const uint8_t changed = before ^ after;
  s_.modem_delta |= (changed & (kMsrCts | kMsrDsr | kMsrDcd)) >> kMsrDeltaShift;
  if ((before & ~after & kMsrRing) != 0) s_.modem_delta |= kMsrTrailingRing;
}

void Uart::Write(UartRegister reg, uint8_t value) {
  switch (reg) {
    case UartRegister::kData:
      if (dlab()) {
        s_.divisor_low = value;
      } else {
        Transmit(value);
      }
      break;
    case UartRegister::kInterruptEnable:
      if (dlab()) {
        s_.divisor_high = value;
      } else {
        WriteInterruptEnable(value);
      }
      break;
    case UartRegister::kInterruptIdAndFifoControl: WriteFifoControl(value); break;
    case UartRegister::kLineControl: s_.lcr = value; break;
    case UartRegister::kModemControl: WriteModemControl(value); break;
    case UartRegister::kScratch: s_.scr = value; break;
    case UartRegister::kLineStatus:
    case UartRegister::kModemStatus: break;  // read-only
  }
}

}  // namespace hv::serial
