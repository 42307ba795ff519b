#include "abi/version_check.h"

#include <string>

#include "gtest/gtest.h"

namespace hv {
namespace {

hv_segment_header Header() {
  return {HV_SEGMENT_MAGIC, HV_SEGMENT_CHANNEL, HV_ABI_MAJOR, HV_ABI_MINOR};
}

bool Says(const absl::Status& status, const std::string& text) {
  return std::string(status.message()).find(text) != std::string::npos;
}

TEST(VersionCheckTest, AcceptsItsOwnVersion) {
  EXPECT_TRUE(CheckSegmentHeader(Header(), HV_SEGMENT_CHANNEL).ok());
}

TEST(VersionCheckTest, AcceptsANewerMinor) {
  hv_segment_header header = Header();
  header.minor = HV_ABI_MINOR + 7;
  EXPECT_TRUE(CheckSegmentHeader(header, HV_SEGMENT_CHANNEL).ok());
}

TEST(VersionCheckTest, RefusesANewerMajorNamingBoth) {
  hv_segment_header header = Header();
  header.major = HV_ABI_MAJOR + 41;
  const absl::Status status = CheckSegmentHeader(header, HV_SEGMENT_CHANNEL);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Says(status, "major " + std::to_string(HV_ABI_MAJOR + 41))) << status;
  EXPECT_TRUE(Says(status, "speaks major " + std::to_string(HV_ABI_MAJOR))) << status;
}

TEST(VersionCheckTest, RefusesAnOlderMajor) {
  hv_segment_header header = Header();
  header.major = HV_ABI_MAJOR - 1;
  EXPECT_EQ(CheckSegmentHeader(header, HV_SEGMENT_CHANNEL).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(VersionCheckTest, RefusesWhatIsNoSegmentWhateverItsVersion) {
  hv_segment_header header = Header();
  header.magic = 0x464c457f;
  header.major = HV_ABI_MAJOR + 1;
  const absl::Status status = CheckSegmentHeader(header, HV_SEGMENT_CHANNEL);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Says(status, "0x464c457f")) << status;
}

TEST(VersionCheckTest, RefusesASegmentOfAnotherKindNamingBoth) {
  const absl::Status status = CheckSegmentHeader(Header(), HV_SEGMENT_STATE);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Says(status, "of kind 1, expected kind 2")) << status;
}

// Kinds may mean something else in another major: that is what is told first.
TEST(VersionCheckTest, AnotherMajorCountsBeforeAnotherKind) {
  hv_segment_header header = Header();
  header.major = HV_ABI_MAJOR + 1;
  EXPECT_EQ(CheckSegmentHeader(header, HV_SEGMENT_STATE).code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace hv
