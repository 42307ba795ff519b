// An empty folder for a test, of a name that no other test and no other run has; removed with all
// in it at the end.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "base/check.h"

namespace hv {

// With all in it, though processes that are on their way out still remove files of their own there.
inline void RemoveFolder(const std::filesystem::path& path) {
  std::error_code error;
  do {
    std::filesystem::remove_all(path, error);
  } while (error == std::errc::no_such_file_or_directory ||
           error == std::errc::directory_not_empty);
  CHECK(!error);
}

// Short enough for a socket's path (108 bytes, unix(7)) to begin with it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = std::filesystem::temp_directory_path() / "hvXXXXXX";
    CHECK(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { RemoveFolder(path_); }

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace hv
