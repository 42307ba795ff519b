#include "integration_tests/programs/program_report.h"

#include <gtest/gtest.h>

namespace hv::testing {
namespace {

TEST(ProgramReportTest, ReportsAreFoundBetweenOtherLines) {
  const auto reports = ReadReports(
      "[    0.1] Linux\r\nbegin one\r\nYQpi\r\nYwo=\r\nend one 0\r\nbegin two\r\nend two "
      "139\r\nbye");
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports.at("one").output, "a\nbc\n");
  EXPECT_EQ(reports.at("one").status, "0");
  EXPECT_EQ(reports.at("two").output, "");
  EXPECT_EQ(reports.at("two").status, "139");
}

TEST(ProgramReportTest, DamagedAndUnfinishedReportsAreNone) {
  EXPECT_TRUE(ReadReports("begin one\nYQpi\n[ 0.1] a fault\nend one 0\n").empty());
  EXPECT_TRUE(ReadReports("begin one\nYQpi\n").empty());
  EXPECT_TRUE(ReadReports("begin one\nYQpi\nend two 0\n").empty());
}

TEST(ProgramReportTest, DifferenceIsShownFromItsFirstLine) {
  EXPECT_EQ(Difference("a\nb\n", "a\nb\n"), "");
  EXPECT_EQ(Difference("a\nb\n", "a\nc"),
            "4 bytes on the host, 3 in the guest; from line 2\n"
            "  host:  b\n  guest: c\n  host:  \n  guest: (nothing)\n");
}

}  // namespace
}  // namespace hv::testing
