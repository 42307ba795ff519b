#include "boot/initrd.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace hv::boot {
namespace {

constexpr uint64_t kPage = 4096;

}  // namespace

absl::StatusOr<uint64_t> PlaceInitrd(std::span<const std::byte> initrd, uint64_t kernel_end,
                                     uint64_t reach, const GuestMemory& memory) {
  const uint64_t top = std::min(memory.low_bytes(), reach + 1) & ~(kPage - 1);
  const uint64_t bottom = (kernel_end + kPage - 1) & ~(kPage - 1);
  const uint64_t room = top > bottom ? top - bottom : 0;
  if (initrd.size() > room) {
    return absl::InvalidArgumentError(
        absl::StrCat("initrd: ", initrd.size(), " bytes, but only ", room,
                     " are free above the kernel; give the machine more --memory"));
  }
  const uint64_t at = (top - initrd.size()) & ~(kPage - 1);
  if (auto status = memory.Write(at, initrd, "initrd"); !status.ok()) return status;
  return at;
}

}  // namespace hv::boot
