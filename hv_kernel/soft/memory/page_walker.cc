#include "hv_kernel/soft/memory/page_walker.h"

namespace hv::soft {
namespace {

// Bits of paging-structure entries (SDM vol. 3, tables 4-5 to 4-20).
constexpr uint64_t kPresent = 1u << 0;
constexpr uint64_t kWritable = 1u << 1;
constexpr uint64_t kUser = 1u << 2;
constexpr uint64_t kAccessed = 1u << 5;
constexpr uint64_t kDirty = 1u << 6;
constexpr uint64_t kLarge = 1u << 7;
constexpr uint64_t kGlobal = 1u << 8;
constexpr uint64_t kNoExecute = 1ull << 63;
constexpr uint64_t kAddressMask = ((1ull << kPhysicalAddressBits) - 1) & ~0xfffull;
constexpr uint64_t kReservedAddress = ((1ull << 52) - 1) & ~((1ull << kPhysicalAddressBits) - 1);
constexpr uint64_t kReservedByPae = 0x7ffull << 52;  // ignored in 4-level paging

// #PF error code (SDM vol. 3, figure 4-12).
constexpr uint32_t kErrorPresent = 1u << 0;
constexpr uint32_t kErrorWrite = 1u << 1;
constexpr uint32_t kErrorUser = 1u << 2;
constexpr uint32_t kErrorReserved = 1u << 3;
constexpr uint32_t kErrorFetch = 1u << 4;

// The kind of paging in force, as what differs between its walks.
struct Format {
  int levels;       // of tables below CR3
  int entry_bytes;  // 4 or 8
  int index_bits;   // 9 or 10
  bool no_execute;  // EFER.NXE counts
};

Format CurrentFormat(const Cpu& cpu) {
  const bool nx = (cpu.efer & kEferNxe) != 0;
  if (LongModeActive(cpu)) return {4, 8, 9, nx};
  if ((cpu.cr4 & kCr4Pae) != 0) return {3, 8, 9, nx};
  return {2, 4, 10, false};
}

class Walk {
 public:
  Walk(const Cpu& cpu, const PhysicalMemory& memory, uint64_t linear, Access access)
      : cpu_(cpu), memory_(memory), linear_(linear), access_(access), format_(CurrentFormat(cpu)) {}

  Translation Run() {
    uint64_t table = Root();
    bool writable = true;
    bool user = true;
    bool executable = true;
    for (int level = format_.levels; level >= 1; --level) {
      const int shift = 12 + (level - 1) * format_.index_bits;
      const uint64_t address = EntryAddress(table, level, shift);
      uint64_t entry;
      if (!Load(address, entry)) return Fault(0);
      if ((entry & kPresent) == 0) return Fault(0);
      const bool pdpte = format_.levels == 3 && level == 3;
      const bool leaf = level == 1 || (!pdpte && IsLargeLeaf(entry, level));
      if (HasReservedBits(entry, level, leaf, pdpte)) return Fault(kErrorPresent | kErrorReserved);
      if (!pdpte) {  // PAE's directory-pointer entries carry no rights
        writable = writable && (entry & kWritable) != 0;
        user = user && (entry & kUser) != 0;
        executable = executable && !(format_.no_execute && (entry & kNoExecute) != 0);
      }
      if (leaf) return Leaf(address, entry, shift, writable, user, executable);
      if (!pdpte && !SetBits(address, entry, kAccessed)) return Run();
      table = entry & (format_.entry_bytes == 8 ? kAddressMask : 0xfffff000u);
    }
    return Fault(0);
  }

 private:
  uint64_t Root() const {
    if (format_.levels == 4) return cpu_.cr3 & kAddressMask;
    return cpu_.cr3 & (format_.levels == 3 ? 0xffffffe0u : 0xfffff000u);
  }

  uint64_t EntryAddress(uint64_t table, int level, int shift) const {
    uint64_t index = (linear_ >> shift) & ((1u << format_.index_bits) - 1);
    if (format_.levels == 3 && level == 3) index &= 3;
    return table + index * format_.entry_bytes;
  }

  bool IsLargeLeaf(uint64_t entry, int level) const {
    if ((entry & kLarge) == 0) return false;
    if (format_.levels == 4) return level == 2 || level == 3;
    return level == 2 && (format_.levels == 3 || (cpu_.cr4 & kCr4Pse) != 0);
  }

  bool HasReservedBits(uint64_t entry, int level, bool leaf, bool pdpte) const {
    if (format_.entry_bytes == 4) return leaf && level == 2 && (entry & (1u << 21)) != 0;
    if ((entry & kReservedAddress) != 0) return true;
    if (format_.levels == 3 && (entry & kReservedByPae) != 0) return true;
    if (pdpte) return (entry & (0x1e6 | kNoExecute)) != 0;
    if (!format_.no_execute && (entry & kNoExecute) != 0) return true;
    if (level == 4 && (entry & kLarge) != 0) return true;
    if (leaf && level > 1) {  // bits between the PAT bit and the large page's address
      const uint64_t low = (1ull << (12 + (level - 1) * 9)) - (1ull << 13);
      return (entry & low) != 0;
    }
    return false;
  }

  Translation Leaf(uint64_t address, uint64_t entry, int shift, bool writable, bool user,
                   bool executable) {
    if (!Permitted(writable, user, executable)) return Fault(kErrorPresent);
    const bool write = access_.kind == AccessKind::kWrite;
    if (!SetBits(address, entry, kAccessed | (write ? kDirty : 0))) return Run();
    Translation found;
    found.ok = true;
    found.page_shift = static_cast<uint8_t>(shift);
    const uint64_t offset_mask = (1ull << shift) - 1;
    found.physical = (PageBase(entry, shift) & ~offset_mask) | (linear_ & offset_mask);
    found.user_page = user;
    found.executable = executable;
    found.global = (entry & kGlobal) != 0 && (cpu_.cr4 & kCr4Pge) != 0;
    found.dirty = write || (entry & kDirty) != 0;
    found.writable = writable || (!access_.user && (cpu_.cr0 & kCr0Wp) == 0);
    return found;
  }

  static uint64_t PageBase(uint64_t entry, int shift) {
    // 4 MiB pages of 32-bit paging keep address bits 39:32 in bits 20:13 (PSE-36).
    if (shift == 22) return (entry & 0xffc00000u) | ((entry >> 13 & 0xff) << 32);
    return entry & kAddressMask;
  }

  // SDM vol. 3, 4.6.1.
  bool Permitted(bool writable, bool user, bool executable) const {
    if (access_.kind == AccessKind::kExecute) {
      if (!executable) return false;
      if (access_.user) return user;
      return !(user && (cpu_.cr4 & kCr4Smep) != 0);
    }
    if (access_.user) return user && (access_.kind == AccessKind::kRead || writable);
    if (user && (cpu_.cr4 & kCr4Smap) != 0 && !access_.smap_override) return false;
    return access_.kind == AccessKind::kRead || writable || (cpu_.cr0 & kCr0Wp) == 0;
  }

  Translation Fault(uint32_t cause) const {
    Translation fault;
    fault.error_code = cause;
    if (access_.kind == AccessKind::kWrite) fault.error_code |= kErrorWrite;
    if (access_.user) fault.error_code |= kErrorUser;
    const bool fetch_reported = format_.no_execute || (cpu_.cr4 & kCr4Smep) != 0;
    if (access_.kind == AccessKind::kExecute && fetch_reported) fault.error_code |= kErrorFetch;
    return fault;
  }

  // Page tables in device memory or nowhere read as not present.
  bool Load(uint64_t address, uint64_t& entry) const {
    const PhysicalPage page = memory_.Find(address);
    if (page.host == nullptr) return false;
    const uint8_t* at = page.host + (address & kPageOffsetMask);
    entry = format_.entry_bytes == 8
                ? __atomic_load_n(reinterpret_cast<const uint64_t*>(at), __ATOMIC_ACQUIRE)
                : __atomic_load_n(reinterpret_cast<const uint32_t*>(at), __ATOMIC_ACQUIRE);
    return true;
  }

  // Adds `bits` to the entry unless it has changed meanwhile: false means walk again.
  bool SetBits(uint64_t address, uint64_t entry, uint64_t bits) const {
    if ((entry & bits) == bits) return true;
    const PhysicalPage page = memory_.Find(address);
    if (!page.writable) return true;  // tables in ROM keep their bits
    uint8_t* at = page.host + (address & kPageOffsetMask);
    if (page.log_dirty) memory_.MarkDirty(page.ram_page);
    if (format_.entry_bytes == 8) {
      return __atomic_compare_exchange_n(reinterpret_cast<uint64_t*>(at), &entry, entry | bits,
                                         false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    }
    auto narrow = static_cast<uint32_t>(entry);
    return __atomic_compare_exchange_n(reinterpret_cast<uint32_t*>(at), &narrow,
                                       narrow | static_cast<uint32_t>(bits), false,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
  }

  const Cpu& cpu_;
  const PhysicalMemory& memory_;
  const uint64_t linear_;
  const Access access_;
  const Format format_;
};

}  // namespace

Translation WalkPageTables(const Cpu& cpu, const PhysicalMemory& memory, uint64_t linear,
                           Access access) {
  return Walk(cpu, memory, linear, access).Run();
}

}  // namespace hv::soft
