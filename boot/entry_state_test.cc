#include "boot/entry_state.h"

#include <gtest/gtest.h>

#include <optional>

#include "boot/test_images.h"

namespace hv::boot {
namespace {

// The second half of a descriptor as hv_segment_state::attributes has it: access rights, with the
// limit's bits 19:16 left out.
uint32_t AttributesOf(uint64_t descriptor) {
  return static_cast<uint32_t>(descriptor >> 40) & 0xf0ff;
}

// Where the page tables take `address`; nullopt: nowhere.
std::optional<uint64_t> Walk(const TestRam& ram, uint64_t cr3, uint64_t address) {
  uint64_t table = cr3;
  for (const int shift : {39, 30, 21}) {
    const auto entry = ram.At<uint64_t>(table + (address >> shift & 511) * 8);
    if ((entry & 3) != 3) return std::nullopt;
    table = entry & ~uint64_t{0xfff};
    if ((entry & 0x80) != 0) return table + (address & ((uint64_t{1} << shift) - 1));
  }
  return std::nullopt;
}

class EntryStateTest : public ::testing::Test {
 protected:
  // Loading the very selectors the state has changes nothing.
  void ExpectGdtHolds(const hv_vcpu_state& state) {
    for (const auto& segment : state.segment) {
      EXPECT_EQ(segment.base, 0u);
      EXPECT_EQ(segment.limit, 0xffffffffu);
      ASSERT_LT(segment.selector, state.gdtr.limit);
      const auto descriptor = ram_.At<uint64_t>(state.gdtr.base + segment.selector);
      EXPECT_EQ(AttributesOf(descriptor), segment.attributes);
      EXPECT_EQ(descriptor & 0xff0f00ffffffffff, 0x000f00000000ffffu);  // base 0, limit FFFFFH
    }
  }
  TestRam ram_;
};

TEST_F(EntryStateTest, LongModeIsConsistent) {
  const hv_vcpu_state state = EnterLongMode(0x1000000, ram_.memory());
  EXPECT_EQ(state.rip, 0x1000000u);
  EXPECT_EQ(state.cr0, 0x80000031u);
  EXPECT_EQ(state.cr4, 0x20u);
  EXPECT_EQ(state.efer, 0x500u);
  EXPECT_EQ(state.rflags, 2u);
  EXPECT_EQ(state.segment[HV_CS].attributes, 0xa09bu);  // L, not D
}

TEST_F(EntryStateTest, LongModeMapsTheFirst4GiBOneToOne) {
  const hv_vcpu_state state = EnterLongMode(0x1000000, ram_.memory());
  for (const uint64_t address :
       {uint64_t{0}, uint64_t{0x7000}, uint64_t{0x1234567}, uint64_t{0x40000000},
        uint64_t{0xbfffffff}, uint64_t{0xfee00030}, uint64_t{0xffffffff}}) {
    EXPECT_EQ(Walk(ram_, state.cr3, address), address) << std::hex << address;
  }
}

TEST_F(EntryStateTest, LongModeGdtHoldsItsSegments) {
  ExpectGdtHolds(EnterLongMode(0x1000000, ram_.memory()));
}

TEST_F(EntryStateTest, ProtectedModeIsAsPvhAndMultibootSay) {
  const hv_vcpu_state state = EnterProtectedMode(0x100020, ram_.memory());
  EXPECT_EQ(state.rip, 0x100020u);
  EXPECT_EQ(state.cr0, 0x11u);  // PE, and ET which no CPU can clear
  EXPECT_EQ(state.cr3, 0u);
  EXPECT_EQ(state.cr4, 0u);
  EXPECT_EQ(state.efer, 0u);
  EXPECT_EQ(state.rflags & 0x20300, 0u);  // VM, IF, TF
  EXPECT_EQ(state.segment[HV_CS].attributes, 0xc09bu);
  for (const auto reg : {HV_DS, HV_ES, HV_FS, HV_GS, HV_SS}) {
    EXPECT_EQ(state.segment[reg].attributes, 0xc093u);
  }
  EXPECT_EQ(state.tr.base, 0u);
  EXPECT_EQ(state.tr.limit, 0x67u);
  EXPECT_EQ(state.tr.attributes, 0x8bu);
}

TEST_F(EntryStateTest, ProtectedModeGdtHoldsItsSegments) {
  ExpectGdtHolds(EnterProtectedMode(0x100020, ram_.memory()));
}

}  // namespace
}  // namespace hv::boot
