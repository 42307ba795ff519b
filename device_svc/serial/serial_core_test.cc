#include "device_svc/serial/serial_core.h"

#include "device_svc/serial/test_port.h"

namespace hv::serial {
namespace {

using Lines = std::vector<uint32_t>;

constexpr uint16_t kData = TestPort::kPort, kIer = kData + 1, kIir = kData + 2, kFcr = kData + 2,
                   kLcr = kData + 3, kMcr = kData + 4, kLsr = kData + 5, kScr = kData + 7;

class SerialCoreTest : public ::testing::Test {
 protected:
  void EnableInterrupts(uint8_t sources) {
    port_.Out(kMcr, 0x08);
    port_.Out(kIer, sources);
  }
  TestPort port_;
};

TEST_F(SerialCoreTest, EightPortsAreTheRegisters) {
  port_.Out(kScr, 0x5a);
  EXPECT_EQ(port_.In(kScr), 0x5au);
  EXPECT_EQ(port_.In(kLsr), 0x60u);
  EXPECT_EQ(port_.In(kData - 1), 0xffu);
  EXPECT_EQ(port_.In(kScr + 1), 0xffu);
}

TEST_F(SerialCoreTest, WideAccessesAreBytesInARow) {
  port_.Out(kLcr, 0x80);
  port_.Out(kData, 0x1234, 2);
  EXPECT_EQ(port_.In(kData, 2), 0x1234u);
  EXPECT_EQ(port_.In(kLcr, 4), 0xb0600080u);  // LCR, MCR, LSR, MSR
  EXPECT_EQ(port_.In(kScr, 4), 0xffffff00u);  // the last register, and beyond
  port_.Out(kData - 1, 0xaabb, 2);
  EXPECT_EQ(port_.In(kData), 0xaau);
}

TEST_F(SerialCoreTest, MemoryIsNotItsBusiness) {
  hv_access access{.address = kScr, .data = 0x5a, .width = 1, .space = HV_SPACE_MMIO};
  EXPECT_TRUE(port_.Handle(TestPort::kCpu, HV_KIND_WRITE_POSTED, 0, access));
  EXPECT_EQ(port_.In(kScr), 0u);
}

TEST_F(SerialCoreTest, PostedWritesAreNotAnswered) {
  port_.Post(kData, 'a');
  EXPECT_EQ(port_.output, "a");
}

TEST_F(SerialCoreTest, OtherKindsAreRefused) {
  EXPECT_FALSE(port_.Handle(TestPort::kHost, HV_KIND_POWER_BUTTON, 0, uint8_t{0}));
  EXPECT_FALSE(port_.Handle(TestPort::kCpu, HV_KIND_COUNT, 0, uint8_t{0}));
}

TEST_F(SerialCoreTest, CharactersLeaveAtOnce) {
  for (const char c : std::string("hello")) port_.Post(kData, static_cast<uint8_t>(c));
  EXPECT_EQ(port_.output, "hello");
  EXPECT_EQ(port_.In(kLsr), 0x60u);
}

TEST_F(SerialCoreTest, WithoutCreditTheTransmitterWaits) {
  port_.state.credit = 2;
  for (const char c : std::string("hello")) port_.Post(kData, static_cast<uint8_t>(c));
  EXPECT_EQ(port_.output, "he");
  EXPECT_EQ(port_.In(kLsr), 0x00u);
  EXPECT_TRUE(port_.Credit(2));
  EXPECT_EQ(port_.output, "hell");
  EXPECT_EQ(port_.In(kLsr), 0x00u);
  EXPECT_TRUE(port_.Credit(100));
  EXPECT_EQ(port_.output, "hello");
  EXPECT_EQ(port_.In(kLsr), 0x60u);
  EXPECT_EQ(port_.state.credit, 99u);
}

TEST_F(SerialCoreTest, MoreCreditThanWasEverTakenIsRefused) {
  EXPECT_FALSE(port_.Credit(1));
  port_.Post(kData, 'a');
  EXPECT_FALSE(port_.Credit(2));
  EXPECT_FALSE(port_.Credit(UINT32_MAX));
  EXPECT_TRUE(port_.Credit(1));
  EXPECT_EQ(port_.state.credit, SerialCore::kInitialCredit);
}

TEST_F(SerialCoreTest, CreditComesBackInLotsOfWhatTheGuestHasTaken) {
  port_.Out(kFcr, 0x01);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(port_.Type(std::string(16, 'x')));
  EXPECT_EQ(port_.input_credit, 0u);  // a FIFO's worth is in the FIFO
  for (int i = 0; i < 15; ++i) port_.In(kData);
  EXPECT_EQ(port_.input_credit, 0u);
  port_.In(kData);
  EXPECT_EQ(port_.input_credit, SerialCore::kCreditLot);
  for (int i = 0; i < 32; ++i) port_.In(kData);
  EXPECT_EQ(port_.input_credit, 2 * SerialCore::kCreditLot);
}

TEST_F(SerialCoreTest, InputBeyondTheQueueIsRefusedWhole) {
  while (Uart(port_.state.uart).input_room() >= 44) {
    ASSERT_TRUE(port_.Type(std::string(44, 'x')));
  }
  const size_t room = Uart(port_.state.uart).input_room();
  EXPECT_FALSE(port_.Type(std::string(room + 1, 'y')));
  EXPECT_EQ(Uart(port_.state.uart).input_room(), room);
  EXPECT_TRUE(port_.Type(std::string(room, 'x')));
  EXPECT_FALSE(port_.Type("y"));
}

TEST_F(SerialCoreTest, InputOfImpossibleLengthIsRefused) {
  EXPECT_FALSE(port_.Type(""));
  EXPECT_FALSE(port_.Handle(TestPort::kHost, HV_KIND_CONSOLE_INPUT, 0, hv_bytes{.length = 45}));
  EXPECT_FALSE(
      port_.Handle(TestPort::kHost, HV_KIND_CONSOLE_INPUT, 0, hv_bytes{.length = UINT32_MAX}));
  EXPECT_EQ(port_.In(kLsr), 0x60u);
}

TEST_F(SerialCoreTest, ALineIsToldWhenItChanges) {
  EnableInterrupts(0x01);
  EXPECT_EQ(port_.lines, Lines{});
  port_.Type("ab");
  EXPECT_EQ(port_.lines, (Lines{1}));
  port_.Type("c");
  EXPECT_EQ(port_.lines, (Lines{1}));
  port_.Out(kIer, 0);
  EXPECT_EQ(port_.lines, (Lines{1, 0}));
}

TEST_F(SerialCoreTest, DriversThatTakeAllThereIsSeeOneEdge) {
  port_.Out(kFcr, 0x81);
  EnableInterrupts(0x01);
  port_.Type("abcdef");
  for (int i = 0; i < 6; ++i) port_.In(kData);
  port_.Pass(10 * SerialCore::kCharacterNs);
  EXPECT_EQ(port_.lines, (Lines{1, 0}));
}

// A handler that takes one character an interrupt and does not look whether there is more.
TEST_F(SerialCoreTest, DriversThatTakeOneCharacterAnInterruptGetAnEdgeForEach) {
  EnableInterrupts(0x01);
  port_.Type("abc");
  EXPECT_EQ(port_.In(kData), 'a');
  EXPECT_EQ(port_.lines, (Lines{1}));
  port_.Pass(SerialCore::kCharacterNs - 1);
  EXPECT_EQ(port_.lines, (Lines{1}));
  port_.Pass(1);
  EXPECT_EQ(port_.lines, (Lines{1, 0, 1}));
  EXPECT_EQ(port_.wake_at_ns, service::kNever);
  EXPECT_EQ(port_.In(kData), 'b');
  port_.Pass(SerialCore::kCharacterNs);
  EXPECT_EQ(port_.lines, (Lines{1, 0, 1, 0, 1}));
  EXPECT_EQ(port_.In(kData), 'c');
  EXPECT_EQ(port_.lines, (Lines{1, 0, 1, 0, 1, 0}));
  EXPECT_EQ(port_.wake_at_ns, service::kNever);
}

// A handler that writes the next character without reading the IIR.
TEST_F(SerialCoreTest, DriversThatWriteOneCharacterAnInterruptGetAnEdgeForEach) {
  EnableInterrupts(0x02);
  EXPECT_EQ(port_.lines, (Lines{1}));
  port_.Post(kData, 'a');
  EXPECT_EQ(port_.lines, (Lines{1}));
  port_.Pass(SerialCore::kCharacterNs);
  EXPECT_EQ(port_.lines, (Lines{1, 0, 1}));
}

// A handler that fills the FIFO and asks the IIR whether there is more to do.
TEST_F(SerialCoreTest, DriversThatAskTheIirAreNotInterruptedForEachCharacter) {
  EnableInterrupts(0x02);
  EXPECT_EQ(port_.In(kIir) & 0xf, 0x2u);
  for (int i = 0; i < 16; ++i) port_.Post(kData, 'x');
  EXPECT_EQ(port_.lines, (Lines{1, 0, 1}));
  EXPECT_EQ(port_.In(kIir) & 0xf, 0x2u);
  EXPECT_EQ(port_.wake_at_ns, service::kNever);
  port_.Pass(10 * SerialCore::kCharacterNs);
  EXPECT_EQ(port_.lines, (Lines{1, 0, 1, 0}));
}

TEST_F(SerialCoreTest, AQuietPortAsksForNoTick) {
  port_.In(kData);
  EXPECT_EQ(port_.wake_at_ns, service::kNever);
}

TEST_F(SerialCoreTest, AnUnservedLineIsNotToldAnew) {
  EnableInterrupts(0x01);
  port_.Type("a");
  EXPECT_EQ(port_.wake_at_ns, service::kNever);
  port_.In(kLsr);
  EXPECT_EQ(port_.wake_at_ns, service::kNever);
}

TEST_F(SerialCoreTest, EmptyInterruptWaitsForCredit) {
  EnableInterrupts(0x02);
  port_.state.credit = 0;
  port_.Post(kData, 'a');
  EXPECT_EQ(port_.lines, (Lines{1, 0}));
  port_.Credit(1);
  EXPECT_EQ(port_.lines, (Lines{1, 0, 1}));
}

}  // namespace
}  // namespace hv::serial
