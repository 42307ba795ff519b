#include "hv_kernel/userfault.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/hv/v1/manifest.pb.h"
#include "service/descriptor_socket.h"

namespace hv {
namespace {

// Without O_NONBLOCK poll(2) reports an error instead of events (userfaultfd(2)).
constexpr int kFlags = O_CLOEXEC | O_NONBLOCK;
constexpr char kDevice[] = "/dev/userfaultfd";
// What mmu_svc needs of a range, as UFFDIO_REGISTER reports it.
constexpr uint64_t kNeeded = 1ull << _UFFDIO_WAKE | 1ull << _UFFDIO_ZEROPAGE;
// Of shared memory: missing pages are told; beside them, on Linux 5.19 and newer, writes.
constexpr uint64_t kMissing = UFFD_FEATURE_MISSING_SHMEM;
constexpr uint64_t kWrites = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM;

absl::StatusOr<UniqueFd> OpenForUserMode() {
  UniqueFd fd(static_cast<int>(syscall(SYS_userfaultfd, kFlags | UFFD_USER_MODE_ONLY)));
  if (fd.valid()) return fd;
  if (errno == ENOSYS || errno == EINVAL) {
    return absl::UnimplementedError(
        "userfaultfd: this host's kernel has none for faults of user mode; Linux 5.11 and newer "
        "do");
  }
  return absl::PermissionDeniedError(absl::StrCat("userfaultfd: ", std::strerror(errno)));
}

// The system call needs a privilege or a sysctl, the device (Linux 6.1) its file's permission.
absl::StatusOr<UniqueFd> OpenForEveryMode() {
  UniqueFd fd(static_cast<int>(syscall(SYS_userfaultfd, kFlags)));
  if (fd.valid()) return fd;
  const int call_error = errno;
  const UniqueFd device(open(kDevice, O_RDWR | O_CLOEXEC));
  if (device.valid()) {
    fd.Reset(ioctl(device.get(), USERFAULTFD_IOC_NEW, kFlags));
    if (fd.valid()) return fd;
  }
  return absl::PermissionDeniedError(absl::StrCat("userfaultfd: ", std::strerror(call_error), "; ",
                                                  kDevice, ": ", std::strerror(errno),
                                                  "; engine kvm needs one of them"));
}

// Once a descriptor has features, it takes no others; where they were refused, it has none yet.
bool Enable(const UniqueFd& fd, uint64_t features) {
  uffdio_api api{};
  api.api = UFFD_API;
  api.features = features;
  return ioctl(fd.get(), UFFDIO_API, &api) == 0;
}

}  // namespace

absl::StatusOr<UniqueFd> WatchMissingPages(std::span<std::byte> ram, FaultsOf whose) {
  auto fd = whose == FaultsOf::kUserMode ? OpenForUserMode() : OpenForEveryMode();
  if (!fd.ok()) return fd;
  if (!Enable(*fd, kMissing | kWrites) && !Enable(*fd, kMissing)) {
    return absl::UnimplementedError(absl::StrCat(
        "userfaultfd: none for missing pages of shared memory here: ", std::strerror(errno)));
  }
  uffdio_register range{};
  range.range = {.start = reinterpret_cast<uint64_t>(ram.data()), .len = ram.size()};
  range.mode = UFFDIO_REGISTER_MODE_MISSING;
  if (ioctl(fd->get(), UFFDIO_REGISTER, &range) != 0) {
    return absl::UnimplementedError(
        absl::StrCat("userfaultfd: watching guest RAM: ", std::strerror(errno)));
  }
  if ((range.ioctls & kNeeded) != kNeeded) {
    return absl::UnimplementedError(absl::StrCat(
        "userfaultfd: requests 0x", absl::Hex(range.ioctls), " alone can be made of guest RAM"));
  }
  return fd;
}

absl::Status SendUserfault(int control, const absl::StatusOr<UniqueFd>& userfault,
                           std::span<const std::byte> ram) {
  hv::v1::Userfault message;
  std::vector<int> fds;
  if (userfault.ok()) {
    message.set_address(reinterpret_cast<uint64_t>(ram.data()));
    message.set_bytes(ram.size());
    fds.push_back(userfault->get());
  } else {
    message.set_refusal(std::string(userfault.status().message()));
  }
  return service::SendWithDescriptors(control, message.SerializeAsString(), fds);
}

}  // namespace hv
