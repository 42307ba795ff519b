#include "hvd/host/userfault_probe.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

#include "base/unique_fd.h"

namespace hv::hvd {
namespace {

constexpr uint64_t kWrites = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM;

UniqueFd Open(int flags) {
  return UniqueFd(static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | flags)));
}

}  // namespace

UserfaultFacts ProbeUserfault() {
  UserfaultFacts facts;
  UniqueFd of_user_mode = Open(UFFD_USER_MODE_ONLY);
  facts.user_mode_error = of_user_mode.valid() ? 0 : errno;
  UniqueFd of_every_mode = Open(0);
  facts.call_error = of_every_mode.valid() ? 0 : errno;
  const UniqueFd device(open("/dev/userfaultfd", O_RDWR | O_CLOEXEC));
  UniqueFd of_device(device.valid() ? ioctl(device.get(), USERFAULTFD_IOC_NEW, O_CLOEXEC) : -1);
  facts.device_error = of_device.valid() ? 0 : errno;
  if (!of_every_mode.valid()) of_every_mode = std::move(of_device);
  const UniqueFd& any = of_user_mode.valid() ? of_user_mode : of_every_mode;
  if (!any.valid()) return facts;
  uffdio_api api{};
  api.api = UFFD_API;
  api.features = UFFD_FEATURE_MISSING_SHMEM;
  facts.has_shared_memory = ioctl(any.get(), UFFDIO_API, &api) == 0;
  // It answers with all that it has.
  facts.has_write_protection = (api.features & kWrites) == kWrites;
  return facts;
}

}  // namespace hv::hvd
