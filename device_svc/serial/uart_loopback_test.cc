#include "device_svc/serial/test_uart.h"

namespace hv::serial {
namespace {

using UartLoopbackTest = UartTest;

TEST_F(UartLoopbackTest, LoopbackReturnsWhatIsSentAndNothingLeaves) {
  uart_.Write(kFcr, 0x01);
  uart_.Write(kMcr, kLoopback);
  Send("echo");
  EXPECT_EQ(uart_.transmit_count(), 0u);
  EXPECT_EQ(Drain(), "echo");
}

TEST_F(UartLoopbackTest, LoopbackDisconnectsTheReceiver) {
  uart_.Write(kMcr, kLoopback);
  Arrive("a");
  EXPECT_EQ(uart_.Read(kLsr) & 1, 0);
  uart_.Write(kMcr, 0);
  EXPECT_EQ(uart_.FillFifo(), 1u);
  EXPECT_EQ(Drain(), "a");
}

TEST_F(UartLoopbackTest, LoopbackLetsGoWhatWasSentBefore) {
  Send("a");
  uart_.Write(kMcr, kLoopback);
  Send("b");
  EXPECT_EQ(uart_.transmit_count(), 1u);
  EXPECT_EQ(uart_.transmit()[0], 'a');
  EXPECT_EQ(Drain(), "b");
}

TEST_F(UartLoopbackTest, EachCharacterRaisesTheEmptyInterruptUnlessOthersWaitToLeave) {
  uart_.Write(kMcr, kLoopback);
  uart_.Write(kIer, 0x02);
  Iir();
  Send("a");
  EXPECT_EQ(Iir(), kEmpty);
  uart_.Write(kMcr, 0);
  Send("b");
  uart_.Write(kMcr, kLoopback);
  Send("c");
  EXPECT_EQ(Iir(), kNone);
}

TEST_F(UartLoopbackTest, LoopbackConnectsModemOutputsToInputs) {
  constexpr std::pair<uint8_t, uint8_t> kPairs[] = {
      {0x1, 0x20}, {0x2, 0x10}, {0x4, 0x40}, {0x8, 0x80}};  // DTR DSR, RTS CTS, OUT1 RI, OUT2 DCD
  for (const auto& [output, input] : kPairs) {
    uart_.Write(kMcr, kLoopback | output);
    EXPECT_EQ(uart_.Read(kMsr) & 0xf0, input);
  }
  uart_.Write(kMcr, 0x0f);
  EXPECT_EQ(uart_.Read(kMsr) & 0xf0, 0xb0);
}

TEST_F(UartLoopbackTest, ChangesOfModemInputsAreToldOnce) {
  uart_.Write(kMcr, kLoopback);
  EXPECT_EQ(uart_.Read(kMsr), 0x0b);  // CTS, DSR and DCD of the host are gone
  EXPECT_EQ(uart_.Read(kMsr), 0x00);
  uart_.Write(kMcr, kLoopback | 0x1);
  EXPECT_EQ(uart_.Read(kMsr), 0x22);
  uart_.Write(kMcr, kLoopback | 0x2);
  EXPECT_EQ(uart_.Read(kMsr), 0x13);
  uart_.Write(kMcr, kLoopback | 0x8);
  EXPECT_EQ(uart_.Read(kMsr), 0x89);
  uart_.Write(kMcr, 0);
  EXPECT_EQ(uart_.Read(kMsr), 0xb3);
  uart_.Write(kMcr, 0x0f);  // outside of loopback nobody listens to the outputs
  EXPECT_EQ(uart_.Read(kMsr), 0xb0);
}

TEST_F(UartLoopbackTest, RingIsToldWhenItEnds) {
  uart_.Write(kMcr, kLoopback);
  uart_.Read(kMsr);
  uart_.Write(kMcr, kLoopback | 0x4);
  EXPECT_EQ(uart_.Read(kMsr), 0x40);
  uart_.Write(kMcr, kLoopback | 0x5);
  EXPECT_EQ(uart_.Read(kMsr), 0x62);  // DTR; it goes on ringing
  uart_.Write(kMcr, kLoopback | 0x1);
  EXPECT_EQ(uart_.Read(kMsr), 0x24);
}

}  // namespace
}  // namespace hv::serial
