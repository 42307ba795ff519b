// A message of userfaultfd(2) read: which page of guest RAM is missing. What hv_kernel maps is its
// own business, so nothing in a message is believed.
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

// The offset in guest RAM of the page whose absence the message tells. Nothing: it tells of
// something else, or of somewhere else.
std::optional<uint64_t> MissingPage(const uffd_msg& message, const Window& window);

}  // namespace hv::mmu
