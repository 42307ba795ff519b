#include "hv_kernel/soft/memory/tlb.h"

#include "hv_kernel/soft/code_tracker.h"
#include "hv_kernel/soft/system/breakpoints.h"

namespace hv::soft {
namespace {

void ClearEntry(Cpu& cpu, size_t index, size_t slot) {
  cpu.tlb[index][slot].read_tag = NoTlbTag(slot);
  cpu.tlb[index][slot].write_tag = NoTlbTag(slot);
}

bool IsPresent(const TlbEntry& entry, size_t slot) {
  return entry.read_tag != NoTlbTag(slot) || entry.write_tag != NoTlbTag(slot);
}

void ClearJumpCache(Cpu& cpu, size_t index) {
  for (size_t slot = 0; slot < kJumpCacheEntries; ++slot) {
    cpu.jump_cache[index][slot].tag = NoJumpCacheTag(slot);
  }
  cpu.jump_cache_has_local[index] = false;
  cpu.jump_cache_life[index] = ++cpu.jump_cache_lives;
}

void ForgetDevicePages(Cpu& cpu) {
  for (auto& pages : cpu.device_pages) {
    for (DevicePage& page : pages) page.linear_page = kNoDevicePage;
  }
}

// The linear page an entry stands for.
uint64_t LinearPage(const TlbEntry& entry) { return entry.host_page - entry.addend; }

}  // namespace

Access AccessThrough(TlbIndex index, AccessKind kind) {
  return {.kind = kind,
          .user = index == TlbIndex::kUser,
          .smap_override = index == TlbIndex::kSupervisorAc};
}

void ResetTlb(Cpu& cpu) { FlushTlb(cpu, /*keep_global=*/false); }

void FlushTlb(Cpu& cpu, bool keep_global) {
  ForgetDevicePages(cpu);
  for (size_t index = 0; index < kTlbCount; ++index) {
    for (size_t slot = 0; slot < kTlbEntries; ++slot) {
      if (keep_global && cpu.tlb_origin[index][slot].global) continue;
      ClearEntry(cpu, index, slot);
    }
    // User code is hardly ever in global pages, supervisor code nearly always.
    const bool user = index == static_cast<size_t>(TlbIndex::kUser);
    if (!keep_global || user || cpu.jump_cache_has_local[index]) ClearJumpCache(cpu, index);
  }
}

void FlushTlbPage(Cpu& cpu, uint64_t linear) {
  ForgetDevicePages(cpu);
  for (size_t index = 0; index < kTlbCount; ++index) {
    const size_t home = TlbSlot(linear);
    const bool large = IsPresent(cpu.tlb[index][home], home) &&
                       LinearPage(cpu.tlb[index][home]) == (linear & kPageMask) &&
                       cpu.tlb_origin[index][home].page_shift > 12;
    ClearEntry(cpu, index, home);
    // Other 4 KiB pieces of the same large page may be anywhere.
    for (size_t slot = 0; slot < kTlbEntries; ++slot) {
      const uint8_t shift = cpu.tlb_origin[index][slot].page_shift;
      if (shift <= 12 && !large) continue;
      const TlbEntry& entry = cpu.tlb[index][slot];
      if (shift > 12 && (LinearPage(entry) >> shift) == (linear >> shift)) {
        ClearEntry(cpu, index, slot);
      }
    }
  }
  ClearJumpCaches(cpu);
}

void DropWriteTags(Cpu& cpu, uint64_t physical_page) {
  for (size_t index = 0; index < kTlbCount; ++index) {
    for (size_t slot = 0; slot < kTlbEntries; ++slot) {
      if (cpu.tlb_origin[index][slot].physical_page == physical_page) {
        cpu.tlb[index][slot].write_tag = NoTlbTag(slot);
      }
    }
  }
}

bool HasWriteTag(const Cpu& cpu, uint64_t physical_page) {
  for (size_t index = 0; index < kTlbCount; ++index) {
    for (size_t slot = 0; slot < kTlbEntries; ++slot) {
      if (__atomic_load_n(&cpu.tlb_origin[index][slot].physical_page, __ATOMIC_RELAXED) ==
              physical_page &&
          __atomic_load_n(&cpu.tlb[index][slot].write_tag, __ATOMIC_RELAXED) != NoTlbTag(slot)) {
        return true;
      }
    }
  }
  return false;
}

void ClearJumpCaches(Cpu& cpu) {
  for (size_t index = 0; index < kTlbCount; ++index) ClearJumpCache(cpu, index);
}

const DevicePage* FindDevicePage(const Cpu& cpu, TlbIndex index, uint64_t linear, AccessKind kind) {
  const DevicePage& page = cpu.device_pages[static_cast<size_t>(index)][DevicePageSlot(linear)];
  if (page.linear_page != (linear & kPageMask)) return nullptr;
  return kind == AccessKind::kRead || page.writable ? &page : nullptr;
}

void EnterDevicePage(Cpu& cpu, TlbIndex index, uint64_t linear, const Translation& found) {
  cpu.device_pages[static_cast<size_t>(index)][DevicePageSlot(linear)] = {
      .linear_page = linear & kPageMask,
      .physical_page = found.physical & kPageMask,
      .writable = found.writable && found.dirty};
}

void EnterTlb(Cpu& cpu, TlbIndex index, uint64_t linear, const Translation& found,
              const PhysicalPage& page, AccessKind kind) {
  const size_t slot = TlbSlot(linear);
  TlbEntry& entry = cpu.tlb[static_cast<size_t>(index)][slot];
  TlbOrigin& origin = cpu.tlb_origin[static_cast<size_t>(index)][slot];
  const auto host_page = reinterpret_cast<uint64_t>(page.host);
  const WatchedAccesses watched = WatchedInPage(cpu, linear);
  entry.read_tag = watched.reads ? NoTlbTag(slot) : TlbTag(linear);
  entry.host_page = host_page;
  entry.addend = host_page - (linear & kPageMask);
  entry.write_tag = NoTlbTag(slot);
  origin.physical_page = found.physical & kPageMask;
  origin.page_shift = found.page_shift;
  origin.global = found.global;
  // A page whose writes are logged has been marked by the write that asks, and by nothing else.
  const bool marked = !page.log_dirty || kind == AccessKind::kWrite;
  if (!found.writable || !found.dirty || !page.writable || watched.writes || !marked) return;
  // Before the look at who holds code (code_tracker.h).
  __atomic_store_n(&entry.write_tag, TlbTag(linear), __ATOMIC_RELAXED);
  if (cpu.code->HasCode(page.ram_page)) entry.write_tag = NoTlbTag(slot);
}

}  // namespace hv::soft
