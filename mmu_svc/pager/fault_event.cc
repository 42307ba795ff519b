#include "mmu_svc/pager/fault_event.h"

namespace hv::mmu {
namespace {

constexpr uint64_t kPageMask = 4095;

}  // namespace

std::optional<PageFault> ReadFault(const uffd_msg& message, const Window& window) {
  if (message.event != UFFD_EVENT_PAGEFAULT) return std::nullopt;
  const uint64_t flags = message.arg.pagefault.flags;
  if ((flags & UFFD_PAGEFAULT_FLAG_MINOR) != 0) return std::nullopt;
  const uint64_t page = message.arg.pagefault.address & ~kPageMask;
  if (page < window.address || page - window.address >= window.bytes) return std::nullopt;
  return PageFault{page - window.address, (flags & UFFD_PAGEFAULT_FLAG_WP) != 0};
}

}  // namespace hv::mmu
