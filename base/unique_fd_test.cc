#include "base/unique_fd.h"

#include <fcntl.h>

#include <utility>

#include "gtest/gtest.h"

namespace hv {
namespace {

int Open() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

TEST(UniqueFdTest, ClosesWhatItHoldsAtItsEnd) {
  const int fd = Open();
  { const UniqueFd owner(fd); }
  EXPECT_FALSE(IsOpen(fd));
}

TEST(UniqueFdTest, HoldsNothingByDefault) { EXPECT_FALSE(UniqueFd().valid()); }

TEST(UniqueFdTest, MovingLeavesOneOwner) {
  const int fd = Open();
  UniqueFd from(fd);
  const UniqueFd to(std::move(from));
  EXPECT_EQ(to.get(), fd);
  EXPECT_FALSE(from.valid());  // NOLINT(bugprone-use-after-move): that is the point
  EXPECT_TRUE(IsOpen(fd));
}

TEST(UniqueFdTest, MoveAssignmentClosesWhatWasHeld) {
  const int old_fd = Open();
  const int new_fd = Open();
  UniqueFd to(old_fd);
  to = UniqueFd(new_fd);
  EXPECT_FALSE(IsOpen(old_fd));
  EXPECT_EQ(to.get(), new_fd);
  EXPECT_TRUE(IsOpen(new_fd));
}

TEST(UniqueFdTest, ReleaseGivesTheDescriptorAway) {
  const int fd = Open();
  {
    UniqueFd owner(fd);
    EXPECT_EQ(owner.Release(), fd);
  }
  EXPECT_TRUE(IsOpen(fd));
  close(fd);
}

}  // namespace
}  // namespace hv
