#include "cli/memory_size.h"

#include <gtest/gtest.h>

namespace hv::cli {
namespace {

TEST(MemorySizeTest, PlainNumbersAreMebibytes) {
  EXPECT_EQ(ParseMemorySize("512").value(), 512ull << 20);
}

TEST(MemorySizeTest, SuffixesAreBinary) {
  EXPECT_EQ(ParseMemorySize("8192K").value(), 8ull << 20);
  EXPECT_EQ(ParseMemorySize("512m").value(), 512ull << 20);
  EXPECT_EQ(ParseMemorySize("2G").value(), 2ull << 30);
  EXPECT_EQ(ParseMemorySize("1T").value(), 1ull << 40);
}

TEST(MemorySizeTest, WhatIsNoSizeIsRefusedByValue) {
  for (const char* text :
       {"", "G", "-1", "1.5G", "1GB", "12X", "1 G", "99999999999999999999", "99999999999T"}) {
    const auto size = ParseMemorySize(text);
    EXPECT_EQ(size.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(size.status().message().find(text), absl::string_view::npos);
  }
}

TEST(MemorySizeTest, SizesAreShownShort) {
  EXPECT_EQ(ShowBytes(0), "0 B");
  EXPECT_EQ(ShowBytes(1023), "1023 B");
  EXPECT_EQ(ShowBytes(512ull << 20), "512 MiB");
  EXPECT_EQ(ShowBytes(3ull << 29), "1.5 GiB");
  EXPECT_EQ(ShowBytes(1ull << 50), "1024 TiB");
}

}  // namespace
}  // namespace hv::cli
