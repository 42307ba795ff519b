#include "mmu_svc/pager/userfault.h"

#include <poll.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>

namespace hv::mmu {

bool UserfaultDescriptor::Await() {
  pollfd poll_fd{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  while (poll(&poll_fd, 1, -1) < 0) {
    if (errno != EINTR) return false;
  }
  // Anything else is what a descriptor says that cannot be waited for.
  return (poll_fd.revents & POLLIN) != 0;
}

int UserfaultDescriptor::Read(std::span<uffd_msg> events) {
  const ssize_t got = read(fd_.get(), events.data(), events.size_bytes());
  return got < 0 ? -1 : static_cast<int>(static_cast<size_t>(got) / sizeof(uffd_msg));
}

Done UserfaultDescriptor::GiveZeroPages(uint64_t address, uint64_t bytes) {
  uffdio_zeropage request{};
  request.range = {.start = address, .len = bytes};
  if (ioctl(fd_.get(), UFFDIO_ZEROPAGE, &request) == 0) return {.bytes = bytes};
  // A negative count repeats the error; one that is positive tells how far it came.
  if (request.zeropage <= 0) return {.error = errno};
  return {.bytes = static_cast<uint64_t>(request.zeropage), .error = errno};
}

// Fails for ranges alone that are none.
void UserfaultDescriptor::Wake(uint64_t address, uint64_t bytes) {
  uffdio_range range{.start = address, .len = bytes};
  ioctl(fd_.get(), UFFDIO_WAKE, &range);
}

std::span<const uint64_t> UserfaultRequests() {
  static constexpr std::array<uint64_t, 2> kRequests{UFFDIO_ZEROPAGE, UFFDIO_WAKE};
  return kRequests;
}

}  // namespace hv::mmu
