#include "hvd/supervision/write_registration.h"

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "ring/shared_store.h"

namespace hv::hvd {

absl::Status CheckWatchable(const GuestPaging& paging, const hv_pager_page& page) {
  if (!paging.on_demand()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "writes are watched only where mmu_svc pages guest memory; here the host does: ",
        paging.notice.empty() ? "the machine's configuration says so" : paging.notice,
        "; hvctl doctor says what would help"));
  }
  if (ring::LoadRelaxed(page.released) != 0) {
    return absl::FailedPreconditionError(
        "the host pages guest memory since no mmu_svc stayed alive, which ended every write watch; "
        "it can begin anew in the machine's next life");
  }
  return absl::OkStatus();
}

absl::Status RegisterForWrites(const GuestPaging& paging, const hv_pager_page& page) {
  if (auto status = CheckWatchable(paging, page); !status.ok()) return status;
  uffdio_register range{};
  range.range = {.start = paging.address, .len = paging.bytes};
  range.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP;
  const int error = ioctl(paging.userfault.get(), UFFDIO_REGISTER, &range) == 0 ? 0 : errno;
  if (error == EINVAL || (error == 0 && (range.ioctls & 1ull << _UFFDIO_WRITEPROTECT) == 0)) {
    return absl::FailedPreconditionError(
        "this host's kernel cannot write-protect shared memory; Linux 5.19 and newer with "
        "CONFIG_USERFAULTFD can; hvctl doctor says more");
  }
  if (error != 0) {
    return absl::InternalError(
        absl::StrCat("registering guest RAM for write protection: ", std::strerror(error)));
  }
  // Given back to the host meanwhile (PagerWatch::Release, which says so before it does): nobody
  // serves what has just been registered.
  if (auto status = CheckWatchable(paging, page); !status.ok()) {
    ioctl(paging.userfault.get(), UFFDIO_UNREGISTER, &range.range);
    return status;
  }
  return absl::OkStatus();
}

}  // namespace hv::hvd
