#include "device_svc/serial/test_uart.h"

namespace hv::serial {
namespace {

TEST_F(UartTest, RegistersAfterReset) {
  EXPECT_EQ(uart_.Read(kData), 0);
  EXPECT_EQ(uart_.Read(kIer), 0);
  EXPECT_EQ(Iir(), 0x01);
  EXPECT_EQ(uart_.Read(kLcr), 0);
  EXPECT_EQ(uart_.Read(kMcr), 0);
  EXPECT_EQ(uart_.Read(kLsr), 0x60);
  EXPECT_EQ(uart_.Read(kMsr), 0xb0);  // CTS, DSR, DCD; nothing has changed
  EXPECT_EQ(uart_.Read(kScr), 0);
  EXPECT_FALSE(uart_.line());
}

TEST_F(UartTest, OnlyBitsThatExistAreKept) {
  uart_.Write(kIer, 0xff);
  uart_.Write(kMcr, 0xff);
  uart_.Write(kScr, 0xa5);
  uart_.Write(kLcr, 0x7f);
  EXPECT_EQ(uart_.Read(kIer), 0x0f);
  EXPECT_EQ(uart_.Read(kMcr), 0x1f);
  EXPECT_EQ(uart_.Read(kScr), 0xa5);
  EXPECT_EQ(uart_.Read(kLcr), 0x7f);
}

TEST_F(UartTest, StatusRegistersCannotBeWritten) {
  uart_.Write(kLsr, 0xff);
  uart_.Write(kMsr, 0xff);
  EXPECT_EQ(uart_.Read(kLsr), 0x60);
  EXPECT_EQ(uart_.Read(kMsr), 0xb0);
}

TEST_F(UartTest, DivisorLatchHidesDataAndInterruptEnable) {
  uart_.Write(kIer, 0x05);
  uart_.Write(kLcr, 0x83);
  EXPECT_EQ(uart_.Read(kData), 12);  // 9600 baud
  uart_.Write(kData, 0x34);
  uart_.Write(kIer, 0x12);
  EXPECT_EQ(uart_.Read(kData), 0x34);
  EXPECT_EQ(uart_.Read(kIer), 0x12);
  EXPECT_EQ(uart_.transmit_count(), 0u);
  uart_.Write(kLcr, 0x03);
  EXPECT_EQ(uart_.Read(kIer), 0x05);
  EXPECT_EQ(uart_.Read(kData), 0);
}

TEST_F(UartTest, DivisorLatchLeavesReceivedCharactersAlone) {
  Arrive("x");
  uart_.Write(kLcr, 0x80);
  uart_.Read(kData);
  uart_.Write(kLcr, 0x00);
  EXPECT_EQ(uart_.Read(kData), 'x');
}

TEST_F(UartTest, DataReadyUntilTheLastCharacterIsRead) {
  uart_.Write(kFcr, 0x01);
  Arrive("ab");
  EXPECT_EQ(uart_.Read(kLsr), 0x61);
  uart_.Read(kData);
  EXPECT_EQ(uart_.Read(kLsr), 0x61);
  uart_.Read(kData);
  EXPECT_EQ(uart_.Read(kLsr), 0x60);
}

TEST_F(UartTest, TransmitterIsEmptyWhenEverythingIsGone) {
  Send("ab");
  EXPECT_EQ(uart_.Read(kLsr), 0x00);
  uart_.Transmitted(1);
  EXPECT_EQ(uart_.Read(kLsr), 0x00);
  EXPECT_EQ(uart_.transmit()[0], 'b');
  uart_.Transmitted(1);
  EXPECT_EQ(uart_.Read(kLsr), 0x60);
}

TEST_F(UartTest, CharactersBeyondTheTransmitQueueAreLostAndNoneBeforeThem) {
  for (size_t i = 0; i < kTransmitQueue + 3; ++i) uart_.Write(kData, static_cast<uint8_t>(i));
  ASSERT_EQ(uart_.transmit_count(), kTransmitQueue);
  for (size_t i = 0; i < kTransmitQueue; ++i) EXPECT_EQ(uart_.transmit()[i], i);
}

TEST_F(UartTest, OverrunOfTheBufferRegisterKeepsTheNewCharacter) {
  uart_.Write(kMcr, kLoopback);
  Send("ab");
  EXPECT_EQ(uart_.Read(kLsr), 0x63);
  EXPECT_EQ(uart_.Read(kLsr), 0x61);  // reading has cleared it
  EXPECT_EQ(Drain(), "b");
}

TEST_F(UartTest, OverrunOfTheFifoKeepsTheOldCharacters) {
  uart_.Write(kFcr, 0x01);
  uart_.Write(kMcr, kLoopback);
  Send("0123456789abcdefX");
  EXPECT_EQ(uart_.Read(kLsr), 0x63);
  EXPECT_EQ(Drain(), "0123456789abcdef");
}

TEST_F(UartTest, TheHostNeverOverruns) {
  uart_.Write(kFcr, 0x01);
  const std::string input(kInputQueue, 'x');
  Arrive(input);
  EXPECT_EQ(uart_.Read(kLsr), 0x61);
  EXPECT_EQ(uart_.input_room(), kReceiveFifo);
}

}  // namespace
}  // namespace hv::serial
