#include "device_svc/serial/uart.h"

#include <algorithm>
#include <cstring>

namespace hv::serial {
namespace {

enum Register : uint8_t { kData = 0, kIer = 1, kIirFcr = 2, kLcr = 3, kMcr = 4, kLsr = 5, kMsr = 6, kScr = 7 };

constexpr uint8_t kIerData = 1, kIerEmpty = 2, kIerLine = 4, kIerModem = 8;
constexpr uint8_t kIirNone = 1, kIirModem = 0, kIirEmpty = 2, kIirData = 4, kIirLine = 6;
constexpr uint8_t kIirFifos = 0xc0;
constexpr uint8_t kFcrClearReceive = 2, kFcrClearTransmit = 4;
constexpr uint8_t kLsrData = 1, kLsrOverrun = 2, kLsrErrors = 0x1e, kLsrHoldingEmpty = 0x20,
                  kLsrEmpty = 0x40;
constexpr uint8_t kMcrOut2 = 8;
// CTS, DSR and DCD: somebody is there.
constexpr uint8_t kModemLines = 0xb0;

}  // namespace

void Uart::Reset() {
  s_ = {};
  s_.divisor_low = 12;  // 9600
}

size_t Uart::fifo_room() const {
  return (fifos() ? kReceiveFifo : 1) - std::min<size_t>(s_.receive_count, fifos() ? kReceiveFifo : 1);
}

void Uart::Push(uint8_t character) {
  if (fifo_room() == 0) {
    s_.line_errors |= kLsrOverrun;
    return;
  }
  s_.receive[s_.receive_count++] = character;
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

void Uart::Transmitted(size_t count) {
  count = std::min<size_t>(count, s_.transmit_count);
  s_.transmit_count -= static_cast<uint32_t>(count);
  std::memmove(s_.transmit, s_.transmit + count, s_.transmit_count);
  if (count != 0 && s_.transmit_count == 0) s_.thre_pending = 1;
}

// With less than a FIFO's worth of room left the holding register counts as full, so that a driver
// which fills the FIFO on each interrupt never loses a character.
uint8_t Uart::LineStatus() const {
  uint8_t status = s_.line_errors;
  if (s_.receive_count != 0) status |= kLsrData;
  if (s_.transmit_count == 0) status |= kLsrHoldingEmpty | kLsrEmpty;
  return status;
}

uint8_t Uart::ModemStatus() const {
  if (!loopback()) return kModemLines | s_.modem_delta;
  // DTR to DSR, RTS to CTS, OUT1 to RI, OUT2 to DCD.
  const uint8_t m = s_.mcr;
  return static_cast<uint8_t>((m & 1) << 5 | (m & 2) << 3 | (m & 4) << 4 | (m & 8) << 4 |
                              s_.modem_delta);
}

uint8_t Uart::InterruptId() const {
  if ((s_.ier & kIerLine) != 0 && (s_.line_errors & kLsrErrors) != 0) return kIirLine;
  // The trigger level is taken for reached at once: no character waits for a time-out.
  if ((s_.ier & kIerData) != 0 && s_.receive_count != 0) return kIirData;
  if ((s_.ier & kIerEmpty) != 0 && s_.thre_pending != 0) return kIirEmpty;
  if ((s_.ier & kIerModem) != 0 && (s_.modem_delta & 15) != 0) return kIirModem;
  return kIirNone;
}

bool Uart::line() const {
  return InterruptId() != kIirNone && (s_.mcr & kMcrOut2) != 0 && !loopback();
}

uint8_t Uart::Read(uint8_t reg) {
  switch (reg) {
    case kData: {
      if (dlab()) return s_.divisor_low;
      if (s_.receive_count == 0) return 0;
      const uint8_t character = s_.receive[0];
      --s_.receive_count;
      std::memmove(s_.receive, s_.receive + 1, s_.receive_count);
      return character;
    }
    case kIer: return dlab() ? s_.divisor_high : s_.ier;
    case kIirFcr: {
      const uint8_t id = InterruptId();
      if (id == kIirEmpty) s_.thre_pending = 0;  // reading it answers it
      return static_cast<uint8_t>(id | (fifos() ? kIirFifos : 0));
    }
    case kLcr: return s_.lcr;
    case kMcr: return s_.mcr;
    case kLsr: {
      const uint8_t status = LineStatus();
      s_.line_errors = 0;
      return status;
    }
    case kMsr: {
      const uint8_t status = ModemStatus();
      s_.modem_delta = 0;
      return status;
    }
    default: return s_.scr;
  }
}

void Uart::WriteFifoControl(uint8_t value) {
  const bool toggled = ((value ^ s_.fcr) & 1) != 0;
  if ((value & kFcrClearReceive) != 0 || toggled) s_.receive_count = 0;
  // What is on its way out has left the FIFO: clearing it takes nothing back.
  if ((value & kFcrClearTransmit) != 0 && s_.transmit_count == 0) s_.thre_pending = 1;
  s_.fcr = value & 0xc9;
}

void Uart::WriteModemControl(uint8_t value) {
  const uint8_t before = ModemStatus();
  s_.mcr = value & 0x1f;
  const uint8_t after = ModemStatus();
  if (loopback()) {
    const uint8_t changed = (before ^ after) >> 4;
    s_.modem_delta |= changed & 0x0b;
    if ((before & 0x40) != 0 && (after & 0x40) == 0) s_.modem_delta |= 4;  // RI: trailing edge
  }
}

void Uart::Write(uint8_t reg, uint8_t value) {
  switch (reg) {
    case kData:
      if (dlab()) {
        s_.divisor_low = value;
      } else if (loopback()) {
        Push(value);
        s_.thre_pending = 1;
      } else if (s_.transmit_count < kTransmitQueue) {
        s_.transmit[s_.transmit_count++] = value;
        s_.thre_pending = 0;
      }
      break;
    case kIer:
      if (dlab()) {
        s_.divisor_high = value;
      } else {
        // Enabling the empty interrupt while the transmitter is empty raises it (PC16550D, 8.6).
        if ((value & kIerEmpty) != 0 && (s_.ier & kIerEmpty) == 0 && s_.transmit_count == 0) {
          s_.thre_pending = 1;
        }
        s_.ier = value & 15;
      }
      break;
    case kIirFcr: WriteFifoControl(value); break;
    case kLcr: s_.lcr = value; break;
    case kMcr: WriteModemControl(value); break;
    case kScr: s_.scr = value; break;
    default: break;  // LSR and MSR are read-only
  }
}

}  // namespace hv::serial
