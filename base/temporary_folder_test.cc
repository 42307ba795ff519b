#include "base/temporary_folder.h"

#include <fstream>

#include "gtest/gtest.h"

namespace hv {
namespace {

TEST(TemporaryFolderTest, EachIsAnother) {
  const TemporaryFolder first, second;
  EXPECT_NE(first.path(), second.path());
  EXPECT_TRUE(std::filesystem::is_empty(first.path()));
  EXPECT_TRUE(std::filesystem::is_empty(second.path()));
}

TEST(TemporaryFolderTest, NothingOfItIsLeft) {
  std::filesystem::path path;
  {
    const TemporaryFolder folder;
    path = folder.path();
    std::filesystem::create_directory(path / "inner");
    std::ofstream(path / "inner/file") << "text";
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace hv
