// Filling and flushing the translation look-aside buffers of a CPU.
#pragma once

#include <cstdint>

#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/memory/page_walker.h"

namespace hv::soft {

// All functions here touch no vector register: the guest's are live while they run.

Access AccessThrough(TlbIndex index, AccessKind kind);

// Power-on: no entry anywhere.
void ResetTlb(Cpu& cpu);
// MOV CR3 (keep_global) and changes of CR0, CR4, EFER. Jump caches go too.
void FlushTlb(Cpu& cpu, bool keep_global);
// INVLPG.
void FlushTlbPage(Cpu& cpu, uint64_t linear);
// The page of RAM came to hold code, or is to be logged: stores must take the slow path again.
void DropWriteTags(Cpu& cpu, uint64_t physical_page);
// Whether a store to the page of RAM could go by the TLB. Another thread may ask.
bool HasWriteTag(const Cpu& cpu, uint64_t physical_page);
// Forgets where code is. After blocks have been thrown away.
void ClearJumpCaches(Cpu& cpu);
void EnterJumpCache(Cpu& cpu, TlbIndex index, const JumpCacheEntry& entry);
// Wherever it is.
void DropFromJumpCaches(Cpu& cpu, const JumpCacheEntry& entry);
// Code at the linear address, in a page of that size, may be entered in the jump cache from now on:
// what drops the page drops the code.
void NoteCodePage(Cpu& cpu, TlbIndex index, uint64_t linear, uint8_t page_shift, bool global);

// Pages without RAM, dropped by every flush, also of single pages. Null: not known for such an
// access.
const DevicePage* FindDevicePage(const Cpu& cpu, TlbIndex index, uint64_t linear, AccessKind kind);
void EnterDevicePage(Cpu& cpu, TlbIndex index, uint64_t linear, const Translation& found);

// Host address of an access inside one page; null when the TLB has no answer.
inline uint8_t* FindInTlb(const Cpu& cpu, TlbIndex index, uint64_t linear, uint64_t bytes,
                          bool write) {
  const Tlb& tlb = cpu.tlb[static_cast<size_t>(index)];
  const size_t slot = TlbSlot(linear);
  const uint64_t offset = linear + (write ? tlb.write_tag[slot] : tlb.read_tag[slot]);
  if (offset > kPageBytes - bytes) return nullptr;
  return reinterpret_cast<uint8_t*>(tlb.host_page[slot] + offset);
}

// Enters the page of a translation that was made for an access of `kind`. A page whose writes are
// logged becomes writable by a write alone, which the caller has marked in the dirty log.
void EnterTlb(Cpu& cpu, TlbIndex index, uint64_t linear, const Translation& found,
              const PhysicalPage& page, AccessKind kind);

}  // namespace hv::soft
