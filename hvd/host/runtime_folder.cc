#include "hvd/host/runtime_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hv::hvd {
namespace {

constexpr mode_t kPrivate = 0700;

absl::Status MakeFolder(const std::string& path) {
  if (mkdir(path.c_str(), kPrivate) == 0 || errno == EEXIST) return absl::OkStatus();
  const std::string message = absl::StrCat("runtime folder ", path, ": ", std::strerror(errno));
  if (errno == EACCES || errno == EPERM || errno == EROFS) {
    return absl::PermissionDeniedError(absl::StrCat(message, "; choose another with --runtime"));
  }
  return absl::FailedPreconditionError(message);
}

}  // namespace

MachineFolder::MachineFolder(MachineFolder&& other) noexcept
    : path_(std::exchange(other.path_, "")), log_(std::move(other.log_)) {}

MachineFolder::~MachineFolder() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string MachineFolder::LogTail(size_t bytes) const {
  const off_t end = lseek(log_.get(), 0, SEEK_END);
  if (end <= 0) return "";
  const size_t wanted = std::min<size_t>(bytes, static_cast<size_t>(end));
  std::string text(wanted, '\0');
  const ssize_t got = pread(log_.get(), text.data(), wanted, end - static_cast<off_t>(wanted));
  if (got <= 0) return "";
  text.resize(static_cast<size_t>(got));
  if (static_cast<off_t>(wanted) < end) {
    const size_t line = text.find('\n');
    if (line != std::string::npos) text.erase(0, line + 1);
  }
  return text;
}

absl::StatusOr<RuntimeFolder> RuntimeFolder::Open(const std::string& path) {
  if (auto status = MakeFolder(path); !status.ok()) return status;
  struct stat info;
  if (lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return absl::PermissionDeniedError(
        absl::StrCat("runtime folder ", path, ": not a folder; remove it"));
  }
  if (info.st_uid != geteuid()) {
    return absl::PermissionDeniedError(absl::StrCat("runtime folder ", path, ": belongs to user ",
                                                    info.st_uid, ", hvd runs as ", geteuid(),
                                                    "; choose another with --runtime"));
  }
  if ((info.st_mode & 077) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("runtime folder ", path, ": open to others (mode 0", (info.st_mode >> 6) & 7,
                     (info.st_mode >> 3) & 7, info.st_mode & 7, "); chmod 700 it"));
  }
  if (auto status = MakeFolder(path + "/machines"); !status.ok()) return status;
  return RuntimeFolder(path);
}

std::string RuntimeFolder::FolderOf(const std::string& name) const {
  return absl::StrCat(path_, "/machines/", name);
}

absl::StatusOr<MachineFolder> RuntimeFolder::MakeMachineFolder(const std::string& name) const {
  std::error_code error;
  std::filesystem::remove_all(FolderOf(name), error);
  return KeepMachineFolder(name);
}

void RuntimeFolder::RemoveMachineFoldersBut(const std::set<std::string>& names) const {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path_ + "/machines", error)) {
    if (names.count(entry.path().filename()) > 0) continue;
    std::error_code ignored;
    std::filesystem::remove_all(entry.path(), ignored);
  }
}

absl::StatusOr<MachineFolder> RuntimeFolder::KeepMachineFolder(const std::string& name) const {
  const std::string path = FolderOf(name);
  if (auto status = MakeFolder(path); !status.ok()) return status;
  const std::string log = path + "/log";
  UniqueFd fd(open(log.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd.valid()) {
    const int failed = errno;
    std::error_code error;
    std::filesystem::remove_all(path, error);
    return absl::ResourceExhaustedError(absl::StrCat("log ", log, ": ", std::strerror(failed)));
  }
  return MachineFolder(path, std::move(fd));
}

}  // namespace hv::hvd
