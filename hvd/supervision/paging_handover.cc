#include "hvd/supervision/paging_handover.h"

#include <poll.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "proto/hv/v1/manifest.pb.h"
#include "service/descriptor_socket.h"

namespace hv::hvd {
namespace {

constexpr uint64_t kPageBytes = 4096;

// A descriptor of another kind would be waited for and read by others, who trust that it is one.
bool IsUserfault(const UniqueFd& fd) {
  std::error_code error;
  const auto target =
      std::filesystem::read_symlink(absl::StrCat("/proc/self/fd/", fd.get()), error);
  return !error && target == "anon_inode:[userfaultfd]";
}

}  // namespace

absl::StatusOr<GuestPaging> ReceivePaging(int control, uint64_t memory_bytes) {
  pollfd ready{.fd = control, .events = POLLIN, .revents = 0};
  if (poll(&ready, 1, 0) != 1) {
    return absl::InternalError("hv_kernel has not said whether it can page on demand");
  }
  auto received = service::ReceiveWithDescriptors(control);
  if (!received.ok()) return received.status();
  hv::v1::Userfault message;
  if (!message.ParseFromString(received->bytes)) {
    return absl::InternalError("hv_kernel sent what is no hv.v1.Userfault");
  }
  GuestPaging paging;
  if (!message.refusal().empty()) {
    paging.notice = message.refusal();
    return paging;
  }
  if (received->fds.size() != 1 || !IsUserfault(received->fds[0]) ||
      message.bytes() != memory_bytes || message.address() % kPageBytes != 0 ||
      message.address() + message.bytes() < message.address()) {
    return absl::InternalError(absl::StrCat(
        "hv_kernel sent ", received->fds.size(), " descriptors for ", message.bytes(),
        " bytes at 0x", absl::Hex(message.address()), ", not one userfaultfd for ", memory_bytes));
  }
  paging.userfault = std::move(received->fds[0]);
  paging.address = message.address();
  paging.bytes = message.bytes();
  return paging;
}

}  // namespace hv::hvd
