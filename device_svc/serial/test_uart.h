// The fixture of the UART's tests: a driver's and a line's view of it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "device_svc/serial/uart.h"

namespace hv::serial {

using R = UartRegister;
inline constexpr R kData = R::kData, kIer = R::kInterruptEnable,
                   kIir = R::kInterruptIdAndFifoControl, kFcr = R::kInterruptIdAndFifoControl,
                   kLcr = R::kLineControl, kMcr = R::kModemControl, kLsr = R::kLineStatus,
                   kMsr = R::kModemStatus, kScr = R::kScratch;

// What IIR reads, FIFO bits apart.
inline constexpr uint8_t kNone = 0x1, kModem = 0x0, kEmpty = 0x2, kAvailable = 0x4, kLine = 0x6,
                         kTimeout = 0xc;
// In MCR.
inline constexpr uint8_t kLoopback = 0x10;

class UartTest : public ::testing::Test {
 protected:
  UartTest() { uart_.Reset(); }

  void Arrive(std::string_view characters) {
    for (const char c : characters) uart_.Receive(static_cast<uint8_t>(c));
    uart_.FillFifo();
  }
  void Send(std::string_view characters) {
    for (const char c : characters) uart_.Write(kData, static_cast<uint8_t>(c));
  }
  // What the driver reads as long as the line status says that there is something.
  std::string Drain() {
    std::string read;
    while ((uart_.Read(kLsr) & 1) != 0) read.push_back(static_cast<char>(uart_.Read(kData)));
    return read;
  }
  uint8_t Iir() { return uart_.Read(kIir); }

  UartState state_{};
  Uart uart_{state_};
};

}  // namespace hv::serial
