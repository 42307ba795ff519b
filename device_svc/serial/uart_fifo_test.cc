#include "device_svc/serial/test_uart.h"

namespace hv::serial {
namespace {

using UartFifoTest = UartTest;

TEST_F(UartFifoTest, IirTellsWhetherFifosAreOn) {
  EXPECT_EQ(Iir() & 0xc0, 0x00);
  uart_.Write(kFcr, 0x01);
  EXPECT_EQ(Iir() & 0xc0, 0xc0);
  uart_.Write(kFcr, 0x00);
  EXPECT_EQ(Iir() & 0xc0, 0x00);
}

TEST_F(UartFifoTest, WithoutFifosTheNextCharacterWaitsForTheLastToBeRead) {
  Arrive("ab");
  EXPECT_EQ(state_.input_count, 1u);
  EXPECT_EQ(uart_.Read(kData), 'a');
  EXPECT_EQ(uart_.Read(kLsr), 0x60);
  EXPECT_EQ(uart_.FillFifo(), 1u);
  EXPECT_EQ(uart_.Read(kData), 'b');
  EXPECT_EQ(uart_.Read(kLsr), 0x60);  // no overrun
}

TEST_F(UartFifoTest, AFifoTakesSixteenAndTheRestWaits) {
  uart_.Write(kFcr, 0x01);
  Arrive("0123456789abcdefXYZ");
  EXPECT_EQ(Drain(), "0123456789abcdef");
  EXPECT_EQ(uart_.FillFifo(), 3u);
  EXPECT_EQ(Drain(), "XYZ");
}

TEST_F(UartFifoTest, SwitchingFifosEmptiesThem) {
  Arrive("a");
  uart_.Write(kFcr, 0x01);
  EXPECT_EQ(uart_.Read(kLsr) & 1, 0);
  Arrive("bc");
  uart_.Write(kFcr, 0x01);  // no switch
  EXPECT_EQ(uart_.Read(kLsr) & 1, 1);
  uart_.Write(kFcr, 0x00);
  EXPECT_EQ(uart_.Read(kLsr) & 1, 0);
}

TEST_F(UartFifoTest, ClearingTheReceiveFifoLeavesWhatWaitsForIt) {
  uart_.Write(kFcr, 0x01);
  Arrive("0123456789abcdefXYZ");
  uart_.Write(kFcr, 0x03);
  EXPECT_EQ(uart_.Read(kLsr) & 1, 0);
  uart_.FillFifo();
  EXPECT_EQ(Drain(), "XYZ");
}

TEST_F(UartFifoTest, FifoControlIsProgrammedOnlyTogetherWithItsEnableBit) {
  Arrive("a");
  uart_.Write(kFcr, 0x02);
  EXPECT_EQ(uart_.Read(kData), 'a');
  uart_.Write(kFcr, 0xc0);  // trigger level 14
  uart_.Write(kFcr, 0x01);
  uart_.Write(kIer, 0x01);
  Arrive("b");
  EXPECT_EQ(Iir() & 0xf, kAvailable);  // trigger level 1
}

TEST_F(UartFifoTest, ClearingTheTransmitFifoTakesNothingBack) {
  uart_.Write(kFcr, 0x01);
  Send("ab");
  uart_.Write(kFcr, 0x05);
  EXPECT_EQ(uart_.transmit_count(), 2u);
  EXPECT_EQ(uart_.Read(kLsr), 0x00);
  uart_.Transmitted(2);
  EXPECT_EQ(uart_.Read(kLsr), 0x60);
}

class UartTriggerTest : public UartTest,
                        public ::testing::WithParamInterface<std::pair<uint8_t, size_t>> {};

TEST_P(UartTriggerTest, BelowItsLevelATimeOutFromItOnData) {
  const auto [fcr, level] = GetParam();
  uart_.Write(kFcr, fcr);
  uart_.Write(kIer, 0x01);
  for (size_t count = 1; count <= kReceiveFifo; ++count) {
    Arrive("x");
    EXPECT_EQ(Iir(), 0xc0 | (count >= level ? kAvailable : kTimeout)) << count;
  }
  for (size_t count = kReceiveFifo - 1; count > 0; --count) {
    uart_.Read(kData);
    EXPECT_EQ(Iir(), 0xc0 | (count >= level ? kAvailable : kTimeout)) << count;
  }
  uart_.Read(kData);
  EXPECT_EQ(Iir(), 0xc0 | kNone);
}

INSTANTIATE_TEST_SUITE_P(Levels, UartTriggerTest,
                         ::testing::Values(std::pair(0x01, 1), std::pair(0x41, 4),
                                           std::pair(0x81, 8), std::pair(0xc1, 14)),
                         [](const auto& info) { return std::to_string(info.param.second); });

}  // namespace
}  // namespace hv::serial
