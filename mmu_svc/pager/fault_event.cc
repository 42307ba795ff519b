#include "mmu_svc/pager/fault_event.h"

namespace hv::mmu {
namespace {

constexpr uint64_t kPageMask = 4095;
// Of faults that are not for a missing page.
constexpr uint64_t kOtherFaults = UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_MINOR;

}  // namespace

std::optional<uint64_t> MissingPage(const uffd_msg& message, const Window& window) {
  if (message.event != UFFD_EVENT_PAGEFAULT) return std::nullopt;
  if ((message.arg.pagefault.flags & kOtherFaults) != 0) return std::nullopt;
  const uint64_t page = message.arg.pagefault.address & ~kPageMask;
  if (page < window.address || page - window.address >= window.bytes) return std::nullopt;
  return page - window.address;
}

}  // namespace hv::mmu
