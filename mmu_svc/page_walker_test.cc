#include "mmu_svc/page_walker.h"

#include <cstring>
#include <memory>
#include <random>

#include "gtest/gtest.h"

namespace hv::mmu {
namespace {

constexpr uint64_t kRamBytes = 0x10000;
constexpr uint64_t kRamAddress =
    0x100000;                         // guest-physical; page tables must be found through slots
constexpr uint64_t kOffset = 0x4000;  // in the segment
constexpr uint64_t kRoot = kRamAddress;

constexpr uint64_t kCr0 = 0x80000001;  // PG, PE
constexpr uint64_t kCr4Pse = 1 << 4;
constexpr uint64_t kCr4Pae = 1 << 5;
constexpr uint64_t kCr4Pge = 1 << 7;
constexpr uint64_t kLma = 0x500;  // LME, LMA
constexpr uint64_t kNxe = 0x800;

// Bits of entries.
constexpr uint64_t kP = 1, kW = 2, kU = 4, kA = 0x20, kD = 0x40, kPs = 0x80, kG = 0x100;
constexpr uint64_t kXd = uint64_t{1} << 63;

class PageWalkerTest : public testing::Test {
 protected:
  PageWalkerTest() : memory_(std::make_unique<Memory>()) {
    map_.slot_count = 1;
    map_.slots[0] = {.address = kRamAddress, .bytes = kRamBytes - kOffset, .offset = kOffset};
  }

  template <typename T = uint64_t>
  void Poke(uint64_t physical, T value) {
    std::memcpy(memory_->bytes + kOffset + (physical - kRamAddress), &value, sizeof(value));
  }
  static constexpr uint64_t Table(int n) { return kRamAddress + n * 0x1000; }
  Walk Run(const PagingRegisters& registers, uint64_t linear) {
    const GuestRam ram(map_, {memory_->bytes, kRamBytes});
    return WalkPageTables(registers, ram, linear);
  }

  // 4-level paging of one page of 4 KiB at linear 0xffff812345678000.
  static constexpr uint64_t kLinear = 0xffff812345678000;
  static constexpr uint64_t EntryOf(int table, int level) {
    return Table(table) + (kLinear >> (12 + 9 * (level - 1)) & 511) * 8;
  }
  void BuildFourLevels() {
    Poke(EntryOf(0, 4), Table(1) | kP | kW | kU | kA);
    Poke(EntryOf(1, 3), Table(2) | kP | kW | kU | kA);
    Poke(EntryOf(2, 2), Table(3) | kP | kW | kU | kA);
    Poke(EntryOf(3, 1), 0x1234567000 | kP | kW | kU | kA | kD);
  }
  const PagingRegisters long_mode_{kCr0, kRoot | 0x18, kCr4Pae | kCr4Pge, kLma | kNxe};

  struct alignas(4096) Memory {
    std::byte bytes[kRamBytes];
  };
  std::unique_ptr<Memory> memory_;
  GuestMap map_{};
};

TEST_F(PageWalkerTest, WithoutPagingLinearIsPhysicalOf32Bits) {
  const Walk walk = Run({1, kRoot, 0, 0}, 0x7fff00001234);
  EXPECT_EQ(walk.outcome, WalkOutcome::kMapped);
  EXPECT_EQ(walk.physical, 0x00001234u);
  EXPECT_EQ(walk.page_bytes, 0u);
  EXPECT_TRUE(walk.writable && walk.user && walk.executable);
}

TEST_F(PageWalkerTest, FourLevelsLeadToAPage) {
  BuildFourLevels();
  const Walk walk = Run(long_mode_, kLinear + 0xabc);
  EXPECT_EQ(walk.outcome, WalkOutcome::kMapped);
  EXPECT_EQ(walk.physical, 0x1234567abcu);
  EXPECT_EQ(walk.page_bytes, 4096u);
  EXPECT_TRUE(walk.writable && walk.user && walk.executable && walk.accessed && walk.dirty);
  EXPECT_FALSE(walk.global);
  ASSERT_EQ(walk.step_count, 4);
  EXPECT_EQ(walk.steps[0].level, 4);
  EXPECT_EQ(walk.steps[0].address, EntryOf(0, 4));
  EXPECT_EQ(walk.steps[3].address, EntryOf(3, 1));
  EXPECT_EQ(walk.steps[3].entry, 0x1234567000 | kP | kW | kU | kA | kD);
}

TEST_F(PageWalkerTest, AnyLevelCanWithholdARight) {
  for (int level = 4; level >= 1; --level) {
    BuildFourLevels();
    const uint64_t next = level > 1 ? Table(5 - level) : 0x1234567000;
    Poke(EntryOf(4 - level, level), next | kP | kXd);
    const Walk walk = Run(long_mode_, kLinear);
    ASSERT_EQ(walk.outcome, WalkOutcome::kMapped) << level;
    EXPECT_FALSE(walk.writable) << level;
    EXPECT_FALSE(walk.user) << level;
    EXPECT_FALSE(walk.executable) << level;
  }
}

TEST_F(PageWalkerTest, AMissingEntryNamesItsLevel) {
  for (int level = 4; level >= 1; --level) {
    BuildFourLevels();
    Poke(EntryOf(4 - level, level), kW);
    const Walk walk = Run(long_mode_, kLinear);
    EXPECT_EQ(walk.outcome, WalkOutcome::kNotPresent);
    EXPECT_EQ(walk.failed_level, level);
    EXPECT_EQ(walk.step_count, 5 - level);
    EXPECT_FALSE(walk.writable);
  }
}

TEST_F(PageWalkerTest, LargePagesEndTheWalkEarly) {
  BuildFourLevels();
  Poke(EntryOf(2, 2), 0x40000000 | kP | kW | kPs | kG);
  Walk walk = Run(long_mode_, kLinear + 0xabc);
  EXPECT_EQ(walk.outcome, WalkOutcome::kMapped);
  EXPECT_EQ(walk.page_bytes, 2u << 20);
  EXPECT_EQ(walk.physical, 0x40000000 + (kLinear & 0x1fffff) + 0xabc);
  EXPECT_TRUE(walk.global);
  EXPECT_FALSE(walk.user);
  Poke(EntryOf(1, 3), 0x80000000 | kP | kPs | 1 << 12);  // bit 12 is the PAT bit here
  walk = Run(long_mode_, kLinear + 0xabc);
  EXPECT_EQ(walk.outcome, WalkOutcome::kMapped);
  EXPECT_EQ(walk.page_bytes, 1u << 30);
  EXPECT_EQ(walk.physical, 0x80000000 + (kLinear & 0x3fffffff) + 0xabc);
}

TEST_F(PageWalkerTest, ReservedBitsOfFourLevelPagingAreFoundAtEachLevel) {
  struct Case {
    int level;
    uint64_t extra;
    bool reserved;
  };
  for (const Case& one :
       {Case{4, kPs, true}, Case{4, 1ull << 46, true}, Case{4, 1ull << 52, false},
        Case{3, 1ull << 51, true}, Case{3, kPs | 1 << 13, true}, Case{2, kPs | 1 << 13, true},
        Case{2, kPs | 1 << 20, true}, Case{2, 1ull << 62, false}, Case{1, 1ull << 46, true},
        Case{1, 1ull << 45, false}, Case{1, kPs, false}}) {
    BuildFourLevels();
    const bool large = (one.extra & kPs) != 0 && one.level > 1 && one.level < 4;
    const uint64_t next = one.level > 1 && !large ? Table(5 - one.level) : 0;
    Poke(EntryOf(4 - one.level, one.level), next | kP | one.extra);
    const Walk walk = Run(long_mode_, kLinear);
    EXPECT_EQ(walk.outcome, one.reserved ? WalkOutcome::kReservedBits : WalkOutcome::kMapped)
        << one.level << " " << std::hex << one.extra;
    EXPECT_EQ(walk.failed_level, one.reserved ? one.level : 0);
  }
}

TEST_F(PageWalkerTest, ExecuteDisableIsReservedWhereItIsNotEnabled) {
  BuildFourLevels();
  Poke(EntryOf(3, 1), 0x1000 | kP | kXd);
  EXPECT_EQ(Run({kCr0, kRoot, kCr4Pae, kLma}, kLinear).outcome, WalkOutcome::kReservedBits);
  const Walk walk = Run({kCr0, kRoot, kCr4Pae, kLma | kNxe}, kLinear);
  EXPECT_EQ(walk.outcome, WalkOutcome::kMapped);
  EXPECT_FALSE(walk.executable);
}

TEST_F(PageWalkerTest, NonCanonicalAddressesHaveNoWalk) {
  for (const uint64_t linear : {0x800000000000ull, 0xffff7fffffffffffull, 0x1000000000000000ull}) {
    const Walk walk = Run(long_mode_, linear);
    EXPECT_EQ(walk.outcome, WalkOutcome::kNotCanonical) << std::hex << linear;
    EXPECT_EQ(walk.step_count, 0);
  }
  EXPECT_EQ(Run(long_mode_, 0x7fffffffffff).outcome, WalkOutcome::kNotPresent);
  EXPECT_EQ(Run(long_mode_, 0xffff800000000000).outcome, WalkOutcome::kNotPresent);
}

TEST_F(PageWalkerTest, TablesOutsideOfRamEndTheWalk) {
  EXPECT_EQ(Run({kCr0, 0x5000, kCr4Pae, kLma}, 0).outcome, WalkOutcome::kNoTable);
  BuildFourLevels();
  Poke(EntryOf(1, 3), 0x3ffffffff000 | kP);
  const Walk walk = Run(long_mode_, kLinear);
  EXPECT_EQ(walk.outcome, WalkOutcome::kNoTable);
  EXPECT_EQ(walk.failed_level, 2);
  EXPECT_EQ(walk.step_count, 2);
}

TEST_F(PageWalkerTest, ASlotThatReachesBeyondTheSegmentIsNoRamThere) {
  map_.slots[0] = {.address = kRamAddress, .bytes = 1ull << 40, .offset = kRamBytes - 0x1000};
  std::memset(memory_->bytes, 0, kRamBytes);
  EXPECT_EQ(Run({kCr0, kRamAddress, kCr4Pae, kLma}, 0).outcome, WalkOutcome::kNotPresent);
  EXPECT_EQ(Run({kCr0, kRamAddress + 0x1000, kCr4Pae, kLma}, 0).outcome, WalkOutcome::kNoTable);
}

TEST_F(PageWalkerTest, ATableThatIsItsOwnChildIsWalkedOnceALevel) {
  for (uint64_t i = 0; i < 512; ++i) Poke(kRoot + i * 8, kRoot | kP | kW);
  const Walk walk = Run(long_mode_, 0x123);
  EXPECT_EQ(walk.outcome, WalkOutcome::kMapped);
  EXPECT_EQ(walk.step_count, Walk::kMaxLevels);
  EXPECT_EQ(walk.physical, kRoot + 0x123);
}

TEST_F(PageWalkerTest, ThirtyTwoBitPagingHasTwoLevelsOf4ByteEntries) {
  Poke<uint32_t>(Table(0) + (0xc0123456 >> 22) * 4, Table(1) | kP | kW);
  Poke<uint32_t>(Table(1) + (0xc0123456 >> 12 & 1023) * 4, 0x7654b000 | kP | kW | kU);
  const Walk walk = Run({kCr0, kRoot, kCr4Pse, kNxe}, 0xffffffffc0123456);
  EXPECT_EQ(walk.outcome, WalkOutcome::kMapped);
  EXPECT_EQ(walk.physical, 0x7654b456u);
  EXPECT_EQ(walk.page_bytes, 4096u);
  EXPECT_TRUE(walk.writable && walk.executable);
  EXPECT_FALSE(walk.user);
  EXPECT_EQ(walk.step_count, 2);
  EXPECT_EQ(walk.steps[0].level, 2);
}

TEST_F(PageWalkerTest, FourMebibytePagesNeedPseAndHave40BitAddresses) {
  // Address bits 39:32 of the page in entry bits 20:13.
  Poke<uint32_t>(Table(0) + (0xc0123456 >> 22) * 4, 0x80000000 | 0x12 << 13 | kP | kPs);
  const Walk walk = Run({kCr0, kRoot, kCr4Pse, 0}, 0xc0123456);
  EXPECT_EQ(walk.outcome, WalkOutcome::kMapped);
  EXPECT_EQ(walk.page_bytes, 4u << 20);
  EXPECT_EQ(walk.physical, 0x1280123456u);
  EXPECT_EQ(Run({kCr0, kRoot, 0, 0}, 0xc0123456).outcome, WalkOutcome::kNoTable)
      << "without CR4.PSE the bit means nothing";
  Poke<uint32_t>(Table(0) + (0xc0123456 >> 22) * 4, 1 << 21 | kP | kPs);
  EXPECT_EQ(Run({kCr0, kRoot, kCr4Pse, 0}, 0xc0123456).outcome, WalkOutcome::kReservedBits);
}

TEST_F(PageWalkerTest, PaeHasFourPointersWithoutRights) {
  // The pointer table is 32-byte aligned and need not begin a page.
  const uint64_t pointers = kRoot + 0x7e0;
  constexpr uint64_t kAddress = 0xc0123456;
  Poke(pointers + 3 * 8, Table(1) | kP);
  Poke(Table(1) + (kAddress >> 21 & 511) * 8, Table(2) | kP | kW | kU);
  Poke(Table(2) + (kAddress >> 12 & 511) * 8, 0x212345000 | kP | kW | kU | kXd);
  const Walk walk = Run({kCr0, pointers | 0x18, kCr4Pae, kNxe}, kAddress);
  EXPECT_EQ(walk.outcome, WalkOutcome::kMapped);
  EXPECT_EQ(walk.physical, 0x212345456u);
  EXPECT_TRUE(walk.writable && walk.user);
  EXPECT_FALSE(walk.executable);
  EXPECT_EQ(walk.step_count, 3);
}

TEST_F(PageWalkerTest, ReservedBitsOfPaeAreFound) {
  constexpr uint64_t kAddress = 0x200000;
  const PagingRegisters pae{kCr0, kRoot, kCr4Pae, kNxe};
  const auto outcome = [&](uint64_t pointer, uint64_t directory) {
    Poke(kRoot, pointer);
    Poke(Table(1) + 8, directory);
    return Run(pae, kAddress).outcome;
  };
  const uint64_t page = 0x40000000 | kP | kPs;
  EXPECT_EQ(outcome(Table(1) | kP, page), WalkOutcome::kMapped);
  for (const uint64_t bit : {kW, kU, kA, kPs, kG, kXd, uint64_t{1} << 46}) {
    EXPECT_EQ(outcome(Table(1) | kP | bit, page), WalkOutcome::kReservedBits) << std::hex << bit;
  }
  EXPECT_EQ(outcome(Table(1) | kP, page | 1 << 13), WalkOutcome::kReservedBits);
  EXPECT_EQ(outcome(Table(1) | kP, page | 1ull << 52), WalkOutcome::kReservedBits);
  EXPECT_EQ(outcome(Table(1) | kP, page | kXd), WalkOutcome::kMapped);
}

// Tables of random entries, registers of random bits: the walk ends, stays within its bounds, and
// says the same when nothing has changed.
TEST_F(PageWalkerTest, RandomTablesEndInAnAnswer) {
  std::mt19937_64 random(3);
  int mapped = 0;
  for (int round = 0; round < 100000; ++round) {
    if (round % 100 == 0) {
      for (size_t at = 0; at < kRamBytes; at += 8) {
        // Mostly present, mostly pointing into RAM, now and then with a bit that should not be.
        uint64_t entry = (kRamAddress + (random() % 14) * 0x1000) | (random() & 0xfff) | kP;
        if (random() % 4 == 0) entry ^= 1ull << (random() % 64);
        std::memcpy(memory_->bytes + at, &entry, sizeof(entry));
      }
    }
    const PagingRegisters registers(random() | 1u << 31, kRamAddress + random() % 0xf000, random(),
                                    random());
    const uint64_t linear = random() >> (random() % 2 == 0 ? 17 : 0);
    const Walk walk = Run(registers, linear);
    const Walk again = Run(registers, linear);
    ASSERT_EQ(walk.outcome, again.outcome);
    ASSERT_EQ(walk.physical, again.physical);
    ASSERT_LE(walk.step_count, Walk::kMaxLevels);
    ASSERT_LE(walk.failed_level, Walk::kMaxLevels);
    ASSERT_LT(walk.physical, 1ull << HV_PHYSICAL_ADDRESS_BITS);
    mapped += walk.outcome == WalkOutcome::kMapped ? 1 : 0;
  }
  EXPECT_GT(mapped, 1000);
}

}  // namespace
}  // namespace hv::mmu
