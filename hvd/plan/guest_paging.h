// Who gives a machine's guest RAM its pages.
#pragma once

#include <cstdint>
#include <string>

#include "base/unique_fd.h"

namespace hv::hvd {

struct GuestPaging {
  // Of hv_kernel's mapping of guest RAM, for every mmu_svc of this life. Not valid: the host gives
  // pages by itself.
  UniqueFd userfault;
  uint64_t address = 0;  // of the mapping, in hv_kernel
  uint64_t bytes = 0;
  std::string notice;  // why the host does it though nobody asked for that; in words

  bool on_demand() const { return userfault.valid(); }
};

}  // namespace hv::hvd
