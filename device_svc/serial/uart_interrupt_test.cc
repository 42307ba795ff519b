#include "device_svc/serial/test_uart.h"

namespace hv::serial {
namespace {

using UartInterruptTest = UartTest;

TEST_F(UartInterruptTest, EachSourceNeedsItsEnableBit) {
  uart_.Write(kMcr, kLoopback);
  Send("ab");                          // data, overrun, empty
  uart_.Write(kMcr, kLoopback | 0x1);  // DTR
  EXPECT_EQ(Iir(), kNone);
  uart_.Write(kIer, 0x08);
  EXPECT_EQ(Iir(), kModem);
  uart_.Write(kIer, 0x02);
  EXPECT_EQ(Iir(), kEmpty);
  uart_.Write(kIer, 0x01);
  EXPECT_EQ(Iir(), kAvailable);
  uart_.Write(kIer, 0x04);
  EXPECT_EQ(Iir(), kLine);
}

TEST_F(UartInterruptTest, TheHighestPriorityComesFirstAndEachIsAnsweredInItsWay) {
  uart_.Write(kMcr, kLoopback);
  Send("ab");
  uart_.Write(kMcr, kLoopback | 0x1);
  uart_.Write(kIer, 0x0f);
  EXPECT_EQ(Iir(), kLine);
  EXPECT_EQ(Iir(), kLine);
  uart_.Read(kLsr);
  EXPECT_EQ(Iir(), kAvailable);
  EXPECT_EQ(Iir(), kAvailable);
  uart_.Read(kData);
  EXPECT_EQ(Iir(), kEmpty);  // answered by this reading
  EXPECT_EQ(Iir(), kModem);
  EXPECT_EQ(Iir(), kModem);
  uart_.Read(kMsr);
  EXPECT_EQ(Iir(), kNone);
}

TEST_F(UartInterruptTest, EnablingTheEmptyInterruptRaisesItEachTime) {
  uart_.Write(kIer, 0x02);
  EXPECT_EQ(Iir(), kEmpty);
  EXPECT_EQ(Iir(), kNone);
  uart_.Write(kIer, 0x02);  // it is on already
  EXPECT_EQ(Iir(), kNone);
  uart_.Write(kIer, 0x00);
  uart_.Write(kIer, 0x02);
  EXPECT_EQ(Iir(), kEmpty);
}

TEST_F(UartInterruptTest, EnablingTheEmptyInterruptOfABusyTransmitterWaits) {
  Send("a");
  uart_.Write(kIer, 0x02);
  EXPECT_EQ(Iir(), kNone);
  uart_.Transmitted(1);
  EXPECT_EQ(Iir(), kEmpty);
}

TEST_F(UartInterruptTest, WritingACharacterAnswersTheEmptyInterrupt) {
  uart_.Write(kIer, 0x02);
  Send("ab");
  EXPECT_EQ(Iir(), kNone);
  uart_.Transmitted(1);
  EXPECT_EQ(Iir(), kNone);
  uart_.Transmitted(1);
  EXPECT_EQ(Iir(), kEmpty);
}

TEST_F(UartInterruptTest, ClearingTheTransmitFifoRaisesTheEmptyInterruptIfItIsEmpty) {
  uart_.Write(kFcr, 0x01);
  uart_.Write(kIer, 0x02);
  Iir();
  uart_.Write(kFcr, 0x05);
  EXPECT_EQ(Iir() & 0xf, kEmpty);
  Send("a");
  uart_.Write(kFcr, 0x05);
  EXPECT_EQ(Iir() & 0xf, kNone);
}

TEST_F(UartInterruptTest, ReadingAnotherIdLeavesTheEmptyInterrupt) {
  uart_.Write(kIer, 0x03);
  Arrive("a");
  EXPECT_EQ(Iir(), kAvailable);
  uart_.Read(kData);
  EXPECT_EQ(Iir(), kEmpty);
}

TEST_F(UartInterruptTest, Out2GatesTheInterrupt) {
  uart_.Write(kIer, 0x02);
  EXPECT_FALSE(uart_.line());
  uart_.Write(kMcr, 0x08);
  EXPECT_TRUE(uart_.line());
  uart_.Write(kMcr, 0x07);
  EXPECT_FALSE(uart_.line());
}

TEST_F(UartInterruptTest, LoopbackTakesOut2OffItsPin) {
  uart_.Write(kMcr, 0x08);
  uart_.Write(kIer, 0x02);
  uart_.Write(kMcr, kLoopback | 0x08);
  EXPECT_FALSE(uart_.line());
  EXPECT_EQ(Iir() & 0xf, kEmpty);  // inside, it works
}

}  // namespace
}  // namespace hv::serial
