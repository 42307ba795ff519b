#include "vcpu_svc/msr_table.h"

#include <map>
#include <set>

#include "gtest/gtest.h"

namespace hv::vcpu {
namespace {

TEST(MsrTable, FindsEveryRegisterOfItsVendorAndNoOther) {
  for (const MsrRow& row : MsrTable()) {
    for (uint32_t n = 0; n < row.count; ++n) {
      const uint32_t index = row.index + n * row.stride;
      EXPECT_EQ(FindMsr(index, true).row == &row, row.vendor != Vendor::kAmd) << row.name;
      EXPECT_EQ(FindMsr(index, false).row == &row, row.vendor != Vendor::kIntel) << row.name;
    }
  }
}

TEST(MsrTable, NoRegisterStandsInTwoRowsOfAVendor) {
  for (const bool intel : {true, false}) {
    std::map<uint32_t, const char*> seen;
    for (const MsrRow& row : MsrTable()) {
      if (row.vendor == (intel ? Vendor::kAmd : Vendor::kIntel)) continue;
      for (uint32_t n = 0; n < row.count; ++n) {
        const uint32_t index = row.index + n * row.stride;
        EXPECT_TRUE(seen.emplace(index, row.name).second)
            << std::hex << index << " is " << seen[index] << " and " << row.name;
      }
    }
  }
}

TEST(MsrTable, StoredRegistersHavePlacesOfTheirOwn) {
  for (const bool intel : {true, false}) {
    std::set<int> slots;
    ForEachStoredMsr(intel, [&](uint32_t index, const MsrRow& row, int slot) {
      EXPECT_GE(slot, 0);
      EXPECT_LT(slot, static_cast<int>(kStoredMsrs));
      EXPECT_TRUE(slots.insert(slot).second) << std::hex << index << " " << row.name;
    });
    EXPECT_GE(slots.size(), 29u);  // MTRRs, MCG_STATUS, one of the vendor's
  }
}

TEST(MsrTable, ResetValuesAreOnesTheRegistersAccept) {
  for (const MsrRow& row : MsrTable()) {
    if (row.stored()) {
      EXPECT_TRUE(row.Accepts(row.reset)) << row.name;
    }
  }
}

TEST(MsrTable, NeighboursOfARowAreNotInIt) {
  EXPECT_EQ(FindMsr(0x1ff, true).row, nullptr);
  EXPECT_EQ(FindMsr(0x210, true).row, nullptr);
  EXPECT_EQ(FindMsr(0x251, true).row, nullptr);
  EXPECT_EQ(FindMsr(0, true).row, nullptr);
  EXPECT_EQ(FindMsr(UINT32_MAX, false).row, nullptr);
}

TEST(MsrTable, VariableRangesAlternateBaseAndMask) {
  for (uint32_t range = 0; range < 8; ++range) {
    EXPECT_STREQ(FindMsr(0x200 + 2 * range, true).row->name, "MTRRphysBase");
    EXPECT_STREQ(FindMsr(0x201 + 2 * range, true).row->name, "MTRRphysMask");
  }
}

TEST(MsrTable, MemoryTypesAreChecked) {
  const MsrRow& base = *FindMsr(0x200, true).row;
  for (uint64_t type = 0; type < 256; ++type) {
    const bool defined = type == 0 || type == 1 || type == 4 || type == 5 || type == 6;
    EXPECT_EQ(base.Accepts(0x1000 | type), defined) << type;
  }
  const MsrRow& fixed = *FindMsr(0x250, true).row;
  EXPECT_TRUE(fixed.Accepts(0x0001040506040100));
  for (int byte = 0; byte < 8; ++byte) EXPECT_FALSE(fixed.Accepts(2ull << (8 * byte))) << byte;
}

TEST(MsrTable, AddressesHaveTheWidthCpuidSays) {
  const MsrRow& mask = *FindMsr(0x201, true).row;
  EXPECT_TRUE(mask.Accepts(0x00003ffffffff800));
  EXPECT_FALSE(mask.Accepts(1ull << 46));
  EXPECT_FALSE(mask.Accepts(1ull << 10));
}

}  // namespace
}  // namespace hv::vcpu
