#include "hv_kernel/soft/memory/tlb.h"

#include "hv_kernel/soft/code_tracker.h"
#include "hv_kernel/soft/system/breakpoints.h"

namespace hv::soft {
namespace {

void ClearEntry(Tlb& tlb, size_t slot) {
  __atomic_store_n(&tlb.read_tag[slot], NoTlbTag(slot), __ATOMIC_RELAXED);
  __atomic_store_n(&tlb.write_tag[slot], NoTlbTag(slot), __ATOMIC_RELAXED);
  tlb.used.Remove(slot);
  tlb.local.Remove(slot);
  tlb.large.Remove(slot);
}

size_t SizeNumber(uint8_t page_shift) {
  switch (page_shift) {
    case 12: return 0;
    case 21: return 1;
    case 22: return 2;
    default: return 3;
  }
}
constexpr uint8_t kPageShifts[kPageSizes] = {12, 21, 22, 30};

size_t CodePageBit(uint64_t linear, uint8_t page_shift) {
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15;  // 2^64 by the golden ratio
  return (linear >> page_shift) * kGolden >> 55;
}

bool MayHoldCodeOf(const JumpCache& cache, uint64_t linear) {
  for (size_t size = 0; size < kPageSizes; ++size) {
    if (cache.pages[size].Contains(CodePageBit(linear, kPageShifts[size]))) return true;
  }
  return false;
}

void ClearJumpCache(Cpu& cpu, size_t index) {
  JumpCache& cache = cpu.jump_cache[index];
  cache.used.ForEach([&](size_t slot) { cache.entry[slot].tag = NoJumpCacheTag(slot); });
  cache.used = {};
  for (CodePages& pages : cache.pages) pages = {};
  cache.has_local = false;
  cache.life = ++cpu.jump_cache_lives;
}

void ForgetDevicePages(Cpu& cpu) {
  for (auto& pages : cpu.device_pages) {
    for (DevicePage& page : pages) page.linear_page = kNoDevicePage;
  }
}

// The linear page a slot stands for.
uint64_t LinearPage(const Tlb& tlb, size_t slot) { return tlb.host_page[slot] - tlb.addend[slot]; }

}  // namespace

Access AccessThrough(TlbIndex index, AccessKind kind) {
  return {.kind = kind,
          .user = index == TlbIndex::kUser,
          .smap_override = index == TlbIndex::kSupervisorAc};
}

void ResetTlb(Cpu& cpu) {
  for (Tlb& tlb : cpu.tlb) {
    for (size_t slot = 0; slot < kTlbEntries; ++slot) ClearEntry(tlb, slot);
  }
  for (JumpCache& cache : cpu.jump_cache) {
    for (size_t slot = 0; slot < kJumpCacheEntries; ++slot) {
      cache.entry[slot].tag = NoJumpCacheTag(slot);
    }
  }
  FlushTlb(cpu, /*keep_global=*/false);
}

void FlushTlb(Cpu& cpu, bool keep_global) {
  ForgetDevicePages(cpu);
  for (size_t index = 0; index < kTlbCount; ++index) {
    Tlb& tlb = cpu.tlb[index];
    (keep_global ? tlb.local : tlb.used).ForEach([&](size_t slot) { ClearEntry(tlb, slot); });
    // User code is hardly ever in global pages, supervisor code nearly always.
    const bool user = index == static_cast<size_t>(TlbIndex::kUser);
    if (!keep_global || user || cpu.jump_cache[index].has_local) ClearJumpCache(cpu, index);
  }
}

void FlushTlbPage(Cpu& cpu, uint64_t linear) {
  ForgetDevicePages(cpu);
  for (size_t index = 0; index < kTlbCount; ++index) {
    Tlb& tlb = cpu.tlb[index];
    ClearEntry(tlb, TlbSlot(linear));
    // Other 4 KiB pieces of the same large page may be anywhere.
    tlb.large.ForEach([&](size_t slot) {
      const uint8_t shift = tlb.page_shift[slot];
      if (LinearPage(tlb, slot) >> shift == linear >> shift) ClearEntry(tlb, slot);
    });
    if (MayHoldCodeOf(cpu.jump_cache[index], linear)) ClearJumpCache(cpu, index);
  }
}

void DropWriteTags(Cpu& cpu, uint64_t physical_page) {
  for (Tlb& tlb : cpu.tlb) {
    tlb.used.ForEach([&](size_t slot) {
      if (tlb.physical_page[slot] != physical_page) return;
      __atomic_store_n(&tlb.write_tag[slot], NoTlbTag(slot), __ATOMIC_RELAXED);
    });
  }
}

bool HasWriteTag(const Cpu& cpu, uint64_t physical_page) {
  for (const Tlb& tlb : cpu.tlb) {
    for (size_t slot = 0; slot < kTlbEntries; ++slot) {
      if (__atomic_load_n(&tlb.physical_page[slot], __ATOMIC_RELAXED) == physical_page &&
          __atomic_load_n(&tlb.write_tag[slot], __ATOMIC_RELAXED) != NoTlbTag(slot)) {
        return true;
      }
    }
  }
  return false;
}

void ClearJumpCaches(Cpu& cpu) {
  for (size_t index = 0; index < kTlbCount; ++index) ClearJumpCache(cpu, index);
}

void EnterJumpCache(Cpu& cpu, TlbIndex index, const JumpCacheEntry& entry) {
  JumpCache& cache = cpu.jump_cache[static_cast<size_t>(index)];
  const size_t slot = JumpCacheSlot(0 - entry.tag);
  cache.entry[slot] = entry;
  cache.used.Add(slot);
}

void DropFromJumpCaches(Cpu& cpu, const JumpCacheEntry& entry) {
  const size_t slot = JumpCacheSlot(0 - entry.tag);
  for (JumpCache& cache : cpu.jump_cache) {
    if (cache.entry[slot].tag == entry.tag && cache.entry[slot].code == entry.code) {
      cache.entry[slot].tag = NoJumpCacheTag(slot);
    }
  }
}

void NoteCodePage(Cpu& cpu, TlbIndex index, uint64_t linear, uint8_t page_shift, bool global) {
  JumpCache& cache = cpu.jump_cache[static_cast<size_t>(index)];
  cache.pages[SizeNumber(page_shift)].Add(CodePageBit(linear, page_shift));
  if (!global) cache.has_local = true;
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
  Tlb& tlb = cpu.tlb[static_cast<size_t>(index)];
  const auto host_page = reinterpret_cast<uint64_t>(page.host);
  const WatchedAccesses watched = WatchedInPage(cpu, linear);
  ClearEntry(tlb, slot);
  tlb.host_page[slot] = host_page;
  tlb.addend[slot] = host_page - (linear & kPageMask);
  __atomic_store_n(&tlb.physical_page[slot], found.physical & kPageMask, __ATOMIC_RELAXED);
  tlb.page_shift[slot] = found.page_shift;
  tlb.used.Add(slot);
  if (!found.global) tlb.local.Add(slot);
  if (found.page_shift > 12) tlb.large.Add(slot);
  if (!watched.reads) tlb.read_tag[slot] = TlbTag(linear);
  // A page whose writes are logged has been marked by the write that asks, and by nothing else.
  const bool marked = !page.log_dirty || kind == AccessKind::kWrite;
  if (!found.writable || !found.dirty || !page.writable || watched.writes || !marked) return;
  // Before the look at who holds code (code_tracker.h).
  __atomic_store_n(&tlb.write_tag[slot], TlbTag(linear), __ATOMIC_RELAXED);
  if (cpu.code->HasCode(page.ram_page)) {
    __atomic_store_n(&tlb.write_tag[slot], NoTlbTag(slot), __ATOMIC_RELAXED);
  }
}

}  // namespace hv::soft
