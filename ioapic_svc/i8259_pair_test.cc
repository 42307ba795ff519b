#include "ioapic_svc/i8259_pair.h"

#include <utility>

#include "gtest/gtest.h"

namespace hv::ioapic {
namespace {

class I8259PairTest : public testing::Test {
 protected:
  I8259PairTest() {
    pair_.Reset();
    Initialize(0x01);
  }
  void Initialize(uint8_t icw4) {
    for (auto [port, value] : {std::pair<uint16_t, uint8_t>{0x20, 0x11},
                               {0x21, 0x30},
                               {0x21, 0x04},
                               {0x21, icw4},
                               {0xa0, 0x11},
                               {0xa1, 0x38},
                               {0xa1, 0x02},
                               {0xa1, 0x01}}) {
      EXPECT_TRUE(pair_.Write(port, value));
    }
  }
  void Pulse(uint8_t irq) {
    pair_.SetIrq(irq, true);
    pair_.SetIrq(irq, false);
  }
  // The vector a CPU takes; -1: the output is low.
  int Take() {
    if (!pair_.output()) return -1;
    const uint8_t vector = pair_.vector();
    pair_.Acknowledge(vector);
    return vector;
  }
  uint8_t Read(uint16_t port) {
    uint8_t value = 0;
    EXPECT_TRUE(pair_.Read(port, value));
    return value;
  }
  uint8_t Isr(uint16_t port) {
    pair_.Write(port, 0x0b);
    return Read(port);
  }

  I8259PairState state_{};
  I8259Pair pair_{state_};
};

TEST_F(I8259PairTest, EachIrqHasItsVector) {
  for (uint8_t irq = 0; irq < 16; ++irq) {
    if (irq == 2) continue;
    Pulse(irq);
    EXPECT_EQ(Take(), 0x30 + irq);
    if (irq >= 8) pair_.Write(0xa0, 0x20);
    pair_.Write(0x20, 0x20);
  }
}

TEST_F(I8259PairTest, TheCascadeHasNoLineOfItsOwn) {
  pair_.SetIrq(2, true);
  EXPECT_FALSE(pair_.output());
}

TEST_F(I8259PairTest, ASlaveInterruptIsInServiceAtBoth) {
  Pulse(10);
  EXPECT_EQ(Take(), 0x3a);
  EXPECT_EQ(Isr(0x20), 0x04);
  EXPECT_EQ(Isr(0xa0), 0x04);
}

TEST_F(I8259PairTest, SlaveInputsComeBetweenOneAndThree) {
  Pulse(3);
  Pulse(12);
  Pulse(1);
  EXPECT_EQ(Take(), 0x31);
  pair_.Write(0x20, 0x20);
  EXPECT_EQ(Take(), 0x3c);
  pair_.Write(0xa0, 0x20);
  pair_.Write(0x20, 0x20);
  EXPECT_EQ(Take(), 0x33);
}

TEST_F(I8259PairTest, AHigherSlaveInputWaitsForTheCascadeUnlessSpeciallyNested) {
  Pulse(12);
  Take();
  Pulse(9);
  EXPECT_EQ(Take(), -1);
  Initialize(0x11);
  Pulse(12);
  Take();
  Pulse(9);
  EXPECT_EQ(Take(), 0x39);
}

TEST_F(I8259PairTest, MaskingTheSlavesInputLowersTheOutput) {
  Pulse(12);
  EXPECT_TRUE(pair_.output());
  pair_.Write(0xa1, 0x10);
  EXPECT_FALSE(pair_.output());
  pair_.Write(0xa1, 0);
  EXPECT_TRUE(pair_.output());
}

TEST_F(I8259PairTest, MaskingTheCascadeHoldsTheSlaveBack) {
  pair_.Write(0x21, 0x04);
  Pulse(12);
  EXPECT_FALSE(pair_.output());
}

TEST_F(I8259PairTest, WithNothingRequestedTheVectorIsSpurious) {
  EXPECT_EQ(pair_.vector(), 0x37);
  pair_.Acknowledge(pair_.vector());
  EXPECT_EQ(Isr(0x20), 0);
}

TEST_F(I8259PairTest, ASpuriousIrqFifteenIsInServiceAtTheMasterAlone) {
  pair_.Acknowledge(0x3f);
  EXPECT_EQ(Isr(0x20), 0x04);
  EXPECT_EQ(Isr(0xa0), 0);
}

TEST_F(I8259PairTest, AVectorTakenJustBeforeItsMaskingIsInServiceAndNotRepeated) {
  Pulse(4);
  const uint8_t told = pair_.vector();
  pair_.Write(0x21, 0x10);
  pair_.Acknowledge(told);
  EXPECT_EQ(Isr(0x20), 0x10);
  pair_.Write(0x20, 0x20);
  pair_.Write(0x21, 0);
  EXPECT_FALSE(pair_.output());
}

TEST_F(I8259PairTest, AVectorTakenJustBeforeAHigherRequestIsTheOneInService) {
  Pulse(4);
  const uint8_t told = pair_.vector();
  Pulse(1);
  pair_.Acknowledge(told);
  EXPECT_EQ(Isr(0x20), 0x10);
  EXPECT_EQ(pair_.vector(), 0x31);
}

TEST_F(I8259PairTest, AVectorOfNeitherChipIsIgnored) {
  Pulse(4);
  pair_.Acknowledge(0x84);
  EXPECT_EQ(Isr(0x20), 0);
  EXPECT_EQ(pair_.vector(), 0x34);
}

TEST_F(I8259PairTest, PollingFindsTheSlaveThroughTheMaster) {
  Pulse(13);
  pair_.Write(0x20, 0x0c);
  EXPECT_EQ(Read(0x20), 0x82);
  pair_.Write(0xa0, 0x0c);
  EXPECT_EQ(Read(0xa0), 0x85);
  EXPECT_FALSE(pair_.output());
}

TEST_F(I8259PairTest, ElcrIsReadAndWrittenAtItsPorts) {
  pair_.Write(0x4d0, 0xff);
  pair_.Write(0x4d1, 0x0e);
  EXPECT_EQ(Read(0x4d0), 0xf8);
  EXPECT_EQ(Read(0x4d1), 0x0e);
}

TEST_F(I8259PairTest, ALevelSlaveInputRequestsAgainAfterItsEoi) {
  pair_.Write(0x4d1, 0x02);
  pair_.SetIrq(9, true);
  EXPECT_EQ(Take(), 0x39);
  EXPECT_EQ(Take(), -1);
  pair_.Write(0xa0, 0x20);
  pair_.Write(0x20, 0x20);
  EXPECT_EQ(Take(), 0x39);
}

TEST_F(I8259PairTest, OtherPortsAreNotTheirs) {
  uint8_t value;
  EXPECT_FALSE(pair_.Read(0x22, value));
  EXPECT_FALSE(pair_.Write(0x22, 0));
}

}  // namespace
}  // namespace hv::ioapic
