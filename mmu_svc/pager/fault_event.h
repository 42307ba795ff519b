// A message of userfaultfd(2) read: what a thread does with guest RAM that it waits for. What
// hv_kernel maps is its own business, so nothing in a message is believed.
#pragma once

#include <linux/userfaultfd.h>

#include <cstdint>
#include <optional>

namespace hv::mmu {

// Guest RAM as hv_kernel maps it: whole pages, not past the end of the address space.
struct Window {
  uint64_t address;
  uint64_t bytes;
};

struct PageFault {
  uint64_t offset;          // of the page, in guest RAM
  bool is_protected_write;  // to a page that is there and write-protected; else the page is missing
  bool operator==(const PageFault&) const = default;
};

// Nothing: the message tells of something else, or of somewhere else.
std::optional<PageFault> ReadFault(const uffd_msg& message, const Window& window);

}  // namespace hv::mmu
