#include "cli/table.h"

#include <gtest/gtest.h>

namespace hv::cli {
namespace {

TEST(TableTest, ColumnsAreAlignedAndLinesEndWithoutBlanks) {
  Table table({"NAME", "COUNT>", "NOTE"});
  table.Add({"a", "1000", "x"});
  table.Add({"longer", "2", ""});
  EXPECT_EQ(table.Show(),
            "NAME    COUNT  NOTE\n"
            "a        1000  x\n"
            "longer      2\n");
}

TEST(TableTest, WidthIsCountedInCharacters) {
  Table table({"A", "B"});
  table.Add({"\xc3\xa4\xc3\xb6", "x"});
  EXPECT_EQ(table.Show(), "A   B\n\xc3\xa4\xc3\xb6  x\n");
}

}  // namespace
}  // namespace hv::cli
