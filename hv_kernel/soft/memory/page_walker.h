// Page-table walks: 4-level, PAE and 32-bit paging (Intel SDM vol. 3, chapter 4).
#pragma once

#include <cstdint>

#include "abi/platform.h"
#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/memory/physical_memory.h"

namespace hv::soft {

enum class AccessKind : uint8_t { kRead = 0, kWrite = 1, kExecute = 2 };

// Who asks: explicit accesses at a privilege, or the processor itself (implicit supervisor: GDT,
// IDT, TSS), which SMAP does not excuse by RFLAGS.AC.
struct Access {
  AccessKind kind = AccessKind::kRead;
  bool user = false;
  bool smap_override = false;  // RFLAGS.AC = 1 and an explicit access
};

struct Translation {
  bool ok = false;
  uint64_t physical = 0;
  uint32_t error_code = 0;  // of the #PF when !ok (SDM vol. 3, 4.7)
  // Of the page, when ok.
  bool writable = false;  // by this kind of access
  bool dirty = false;     // the leaf's dirty bit is set (or was by this walk)
  bool user_page = false;
  bool executable = false;
  bool global = false;
  uint8_t page_shift = 12;
};

// Walks for `linear`, sets accessed and dirty bits as the access demands (atomically, SDM vol. 3,
// 4.8), and checks rights. Non-canonical addresses are the caller's affair.
// REQUIRES: paging is on.
Translation WalkPageTables(const Cpu& cpu, const PhysicalMemory& memory, uint64_t linear,
                           Access access);

// The physical-address width of hv's CPUs; entry bits above it are reserved.
inline constexpr int kPhysicalAddressBits = HV_PHYSICAL_ADDRESS_BITS;

}  // namespace hv::soft
