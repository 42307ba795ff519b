// A piece of translated guest code.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hv_kernel/soft/translate/leave_site.h"
#include "hv_kernel/soft/translate/mode.h"

namespace hv::soft {

// Where in a block's code one of its instructions begins, for host faults.
struct InstructionPlace {
  uint32_t host_offset : 20;
  uint32_t rip_offset : 12;  // from the block's rip
};
inline constexpr size_t kMaxBlockCodeBytes = size_t{1} << 20;

struct alignas(64) Block {
  uint64_t rip = 0;                 // offset in CS of the first instruction
  uint64_t physical = 0;            // of its first byte
  uint64_t physical_next_page = 0;  // page of the bytes past the first page's end; 0: none
  uint32_t bytes = 0;               // of guest code
  Mode mode;
  Block* next = nullptr;  // in its bucket; with what is compared, in one line of a cache
  // Its first bytes, as many as the mask says: whether the page is still what it was. Stores of
  // vCPUs are noted, but devices write to RAM as well.
  uint64_t head = 0;
  uint64_t head_mask = 0;
  uint64_t code = 0;  // host address
  // Where direct jumps lead when they are linked: `code`, or for a block that reaches into the next
  // page a look into the jump cache, as that page may change its meaning while this one does not.
  uint64_t link_code = 0;
  uint32_t code_bytes = 0;
  bool dropped = false;  // invalidated: reachable from nowhere, its memory not yet reused
  // Guest registers that are in Cpu::set_aside while it runs (held_pages.h), by enum hv_gpr.
  uint16_t set_aside = 0;
  // How much of each kind belongs to it, in the order of the blocks (translation_records.h).
  uint32_t places = 0;
  uint32_t sites = 0;
  uint32_t links = 0;
  uint32_t handled = 0;
  uint64_t first_place = 0;
  Link* incoming = nullptr;  // direct jumps elsewhere that were patched to come here
};

}  // namespace hv::soft
