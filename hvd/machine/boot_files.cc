#include "hvd/machine/boot_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace hv::hvd {
namespace {

absl::StatusOr<BootFile> Open(const char* role, const std::string& path) {
  // O_NONBLOCK: a FIFO must not hold hvd up.
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  const std::string what = absl::StrCat(role, " ", path, ": ");
  if (!fd.valid()) {
    const std::string message = absl::StrCat(what, std::strerror(errno));
    if (errno == ENOENT || errno == ENOTDIR) return absl::NotFoundError(message);
    if (errno == EACCES || errno == EPERM) return absl::PermissionDeniedError(message);
    return absl::InvalidArgumentError(message);
  }
  struct stat info;
  if (fstat(fd.get(), &info) != 0) {
    return absl::InternalError(absl::StrCat(what, std::strerror(errno)));
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(what, "not a regular file"));
  }
  if (info.st_size == 0) return absl::InvalidArgumentError(absl::StrCat(what, "empty"));
  return BootFile{path, std::move(fd), static_cast<uint64_t>(info.st_size), ""};
}

}  // namespace

absl::StatusOr<BootFiles> OpenBootFiles(const hv::v1::MachineConfig& config) {
  BootFiles files;
  auto kernel = Open("kernel", config.kernel());
  if (!kernel.ok()) return kernel.status();
  files.kernel = *std::move(kernel);
  if (!config.initrd().empty()) {
    auto initrd = Open("initrd", config.initrd());
    if (!initrd.ok()) return initrd.status();
    files.initrd = *std::move(initrd);
  }
  for (const auto& given : config.modules()) {
    auto module = Open("module", given.path());
    if (!module.ok()) return module.status();
    module->command_line = given.command_line();
    files.modules.push_back(*std::move(module));
  }
  return files;
}

}  // namespace hv::hvd
