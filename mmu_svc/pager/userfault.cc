#include "mmu_svc/pager/userfault.h"

#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>

namespace hv::mmu {
namespace {

// The least that is read ahead.
constexpr uint64_t kZeroBytes = 64 << 10;
alignas(4096) constexpr std::byte kZeros[kZeroBytes] = {};

// `done` is what the request says of itself: how far it came, or the error once more.
Done DoneBy(bool all, uint64_t bytes, int64_t done) {
  if (all) return {.bytes = bytes};
  if (done <= 0) return {.error = errno};
  return {.bytes = static_cast<uint64_t>(done), .error = errno};
}

}  // namespace

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

// UFFDIO_ZEROPAGE gives no page that is protected.
Done UserfaultDescriptor::GiveZeroPages(uint64_t address, uint64_t bytes, Writes writes) {
  if (writes == Writes::kFree) {
    uffdio_zeropage request{};
    request.range = {.start = address, .len = bytes};
    const bool all = ioctl(fd_.get(), UFFDIO_ZEROPAGE, &request) == 0;
    return DoneBy(all, bytes, request.zeropage);
  }
  uffdio_copy request{};
  request.dst = address;
  request.src = reinterpret_cast<uint64_t>(kZeros);
  request.len = std::min(bytes, kZeroBytes);
  request.mode = UFFDIO_COPY_MODE_WP;
  const bool all = ioctl(fd_.get(), UFFDIO_COPY, &request) == 0;
  return DoneBy(all, request.len, request.copy);
}

int UserfaultDescriptor::SetWrites(uint64_t address, uint64_t bytes, Writes writes) {
  uffdio_writeprotect request{};
  request.range = {.start = address, .len = bytes};
  request.mode = writes == Writes::kTold ? UFFDIO_WRITEPROTECT_MODE_WP : 0;
  return ioctl(fd_.get(), UFFDIO_WRITEPROTECT, &request) == 0 ? 0 : errno;
}

// Fails for ranges alone that are none.
void UserfaultDescriptor::Wake(uint64_t address, uint64_t bytes) {
  uffdio_range range{.start = address, .len = bytes};
  ioctl(fd_.get(), UFFDIO_WAKE, &range);
}

std::span<const uint64_t> UserfaultRequests() {
  static constexpr std::array<uint64_t, 4> kRequests{UFFDIO_ZEROPAGE, UFFDIO_COPY,
                                                     UFFDIO_WRITEPROTECT, UFFDIO_WAKE};
  return kRequests;
}

}  // namespace hv::mmu
