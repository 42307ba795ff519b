#include "cli/address.h"

#include <gtest/gtest.h>

namespace hv::cli {
namespace {

TEST(AddressTest, AddressesAreHexadecimalWithOrWithoutPrefix) {
  EXPECT_EQ(ParseAddress("0x1000").value(), 0x1000u);
  EXPECT_EQ(ParseAddress("ffffffff81000000").value(), 0xffffffff81000000u);
  EXPECT_EQ(ParseAddress("0XFF").value(), 0xffu);
}

TEST(AddressTest, WhatIsNoAddressIsRefusedAndQuoted) {
  for (const char* text : {"", "0x", "kernel", "-1", "+1", " 1", "0x10000000000000000"}) {
    const auto status = ParseAddress(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_NE(status.message().find(text), absl::string_view::npos) << status;
  }
}

TEST(AddressTest, RangesAreAddressAndSize) {
  const auto range = ParseRange("0x100000+4K");
  ASSERT_TRUE(range.ok()) << range.status();
  EXPECT_EQ(range->address, 0x100000u);
  EXPECT_EQ(range->bytes, 4096u);
  EXPECT_EQ(ParseRange("0+2")->bytes, 2u << 20);
}

TEST(AddressTest, WhatIsNoRangeIsRefused) {
  for (const char* text : {"", "0x1000", "+4K", "0x1000+", "0x1000+x", "1+2+3"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseRange(text).status())) << text;
  }
}

}  // namespace
}  // namespace hv::cli
