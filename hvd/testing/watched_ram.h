// A userfaultfd of guest RAM as hv_kernel makes it, for tests that play hv_kernel.
#pragma once

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/unique_fd.h"

namespace hv::hvd {

// Of faults of user mode, which needs no privilege. Unavailable: this host has none.
inline absl::StatusOr<UniqueFd> WatchRam(std::span<std::byte> ram) {
  UniqueFd fd(
      static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY)));
  const auto enable = [&fd](uint64_t features) {
    uffdio_api api{};
    api.api = UFFD_API;
    api.features = features;
    return ioctl(fd.get(), UFFDIO_API, &api) == 0;
  };
  constexpr uint64_t kMissing = UFFD_FEATURE_MISSING_SHMEM;
  constexpr uint64_t kWrites = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM;
  uffdio_register range{};
  range.range = {.start = reinterpret_cast<uint64_t>(ram.data()), .len = ram.size()};
  range.mode = UFFDIO_REGISTER_MODE_MISSING;
  if (!fd.valid() || (!enable(kMissing | kWrites) && !enable(kMissing)) ||
      ioctl(fd.get(), UFFDIO_REGISTER, &range) != 0) {
    return absl::UnavailableError(absl::StrCat("userfaultfd: ", std::strerror(errno)));
  }
  return fd;
}

}  // namespace hv::hvd
