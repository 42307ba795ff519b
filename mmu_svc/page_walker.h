// Walks of the guest's page tables on request, read as hostile data: 32-bit, PAE and 4-level paging
// (Intel SDM vol. 3, 4.3 to 4.5).
#pragma once

#include <array>
#include <cstdint>

#include "mmu_svc/guest_ram.h"
#include "mmu_svc/paging.h"

namespace hv::mmu {

enum class WalkOutcome : uint8_t {
  kMapped,
  kNotCanonical,
  kNotPresent,    // the last entry's present bit is clear
  kReservedBits,  // the last entry has bits set that are reserved at its place
  kNoTable,       // no RAM where the table of `failed_level` should be
};

struct Walk {
  static constexpr int kMaxLevels = 4;
  struct Step {
    uint8_t level;     // 4: PML4 ... 1: page table
    uint64_t address;  // guest-physical, of the entry
    uint64_t entry;
  };

  WalkOutcome outcome = WalkOutcome::kMapped;
  std::array<Step, kMaxLevels> steps{};
  uint8_t step_count = 0;
  uint8_t failed_level = 0;  // 0: no table was to blame

  // kMapped only. Rights are those of all levels together, before CR0.WP, SMEP and SMAP.
  uint64_t physical = 0;
  uint64_t page_bytes = 0;  // 0: paging is off
  bool writable = false;
  bool user = false;
  bool executable = false;
  bool global = false;
  bool accessed = false;
  bool dirty = false;
};

// Reads at most kMaxLevels entries, each once, and changes nothing: accessed and dirty bits stay.
// With paging off and in 32-bit modes the upper half of `linear` does not count.
Walk WalkPageTables(const PagingRegisters& registers, const GuestRam& ram, uint64_t linear);

}  // namespace hv::mmu
