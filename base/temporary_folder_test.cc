#include "base/temporary_folder.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <thread>

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

TEST(TemporaryFolderTest, SomebodyElseMayRemoveFilesMeanwhile) {
  std::filesystem::path path;
  std::thread other;
  {
    const TemporaryFolder folder;
    path = folder.path();
    constexpr int kFiles = 2000;
    for (int i = 0; i < kFiles; ++i) std::ofstream(path / std::to_string(i));
    other = std::thread([path] {
      std::error_code ignored;
      for (int i = 0; i < kFiles; ++i) std::filesystem::remove(path / std::to_string(i), ignored);
    });
  }
  other.join();
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace hv
