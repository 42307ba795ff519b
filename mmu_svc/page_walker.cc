#include "mmu_svc/page_walker.h"

#include <optional>

namespace hv::mmu {
namespace {

constexpr int kLinearAddressBits = 48;

// Bits first to last, both inclusive.
constexpr uint64_t Bits(int first, int last) {
  return (~uint64_t{0} >> (63 - last)) & (~uint64_t{0} << first);
}

constexpr bool IsCanonical(uint64_t linear) {
  const uint64_t upper = linear >> (kLinearAddressBits - 1);
  return upper == 0 || upper == Bits(0, 63) >> (kLinearAddressBits - 1);
}

// What differs between the kinds of paging.
struct Format {
  int levels;
  int entry_bytes;
  int index_bits;
};

Format FormatOf(PagingMode mode) {
  switch (mode) {
    case PagingMode::k4Level: return {4, 8, 9};
    case PagingMode::kPae: return {3, 8, 9};
    default: return {2, 4, 10};
  }
}

class Walker {
 public:
  Walker(const PagingRegisters& registers, const GuestRam& ram, uint64_t linear)
      : registers_(registers), ram_(ram), linear_(linear), format_(FormatOf(registers.mode())) {}

  Walk Run() {
    walk_.writable = walk_.user = walk_.executable = true;
    uint64_t table = Root();
    for (int level = format_.levels; level >= 1; --level) {
      const uint64_t address = EntryAddress(table, level);
      const auto loaded = Load(address);
      if (!loaded) return Fail(WalkOutcome::kNoTable, level);
      const PagingEntry entry(*loaded);
      walk_.steps[walk_.step_count++] = {static_cast<uint8_t>(level), address, entry.value()};
      if (!entry.present()) return Fail(WalkOutcome::kNotPresent, level);
      if (entry.has(ReservedBits(entry, level))) return Fail(WalkOutcome::kReservedBits, level);
      Restrict(entry, level);
      if (MapsPage(entry, level)) return Finish(entry, level);
      table = entry.address();
    }
    return walk_;  // not reached: an entry of level 1 maps a page
  }

 private:
  uint64_t Root() const {
    switch (registers_.mode()) {
      case PagingMode::k4Level: return registers_.cr3() & Bits(12, HV_PHYSICAL_ADDRESS_BITS - 1);
      case PagingMode::kPae: return registers_.cr3() & Bits(5, 31);
      default: return registers_.cr3() & Bits(12, 31);
    }
  }

  int Shift(int level) const { return 12 + (level - 1) * format_.index_bits; }

  uint64_t EntryAddress(uint64_t table, int level) const {
    const bool pointer = IsPointerEntry(level);
    const uint64_t index = linear_ >> Shift(level) & Bits(0, pointer ? 1 : format_.index_bits - 1);
    return table + index * format_.entry_bytes;
  }

  std::optional<uint64_t> Load(uint64_t address) const {
    if (format_.entry_bytes == 8) return ram_.Load<uint64_t>(address);
    return ram_.Load<uint32_t>(address);
  }

  // PAE's page-directory-pointer-table entries: no rights, no large pages.
  bool IsPointerEntry(int level) const {
    return registers_.mode() == PagingMode::kPae && level == 3;
  }

  bool MapsPage(const PagingEntry& entry, int level) const {
    if (level == 1) return true;
    if (!entry.page_size() || level == 4 || IsPointerEntry(level)) return false;
    return registers_.mode() != PagingMode::k32Bit || registers_.page_size_extensions();
  }

  // SDM vol. 3, tables 4-4 to 4-6 (32-bit), 4-8 to 4-11 (PAE), 4-15 to 4-20 (4-level).
  uint64_t ReservedBits(const PagingEntry& entry, int level) const {
    const bool page = MapsPage(entry, level);
    if (registers_.mode() == PagingMode::k32Bit) return page && level == 2 ? Bits(21, 21) : 0;
    const bool pae = registers_.mode() == PagingMode::kPae;
    if (IsPointerEntry(level)) {
      return Bits(1, 2) | Bits(5, 8) | Bits(HV_PHYSICAL_ADDRESS_BITS, 63);
    }
    uint64_t reserved = Bits(HV_PHYSICAL_ADDRESS_BITS, pae ? 62 : 51);
    if (!registers_.no_execute()) reserved |= Bits(63, 63);
    if (level == 4) reserved |= Bits(7, 7);
    // Between the PAT bit and the address of a large page.
    if (page && level > 1) reserved |= Bits(13, Shift(level) - 1);
    return reserved;
  }

  void Restrict(const PagingEntry& entry, int level) {
    if (IsPointerEntry(level)) return;
    walk_.writable &= entry.writable();
    walk_.user &= entry.user();
    walk_.executable &= !(registers_.no_execute() && entry.no_execute());
  }

  Walk Finish(const PagingEntry& entry, int level) {
    const int shift = Shift(level);
    walk_.page_bytes = uint64_t{1} << shift;
    const uint64_t inside = walk_.page_bytes - 1;
    walk_.physical = (PageAddress(entry, shift) & ~inside) | (linear_ & inside);
    walk_.global = entry.global() && registers_.global_pages();
    walk_.accessed = entry.accessed();
    walk_.dirty = entry.dirty();
    return walk_;
  }

  static uint64_t PageAddress(const PagingEntry& entry, int shift) {
    // 4 MiB pages keep address bits 39:32 in bits 20:13 (PSE-36; SDM vol. 3, table 4-4).
    if (shift == 22) return (entry.value() & Bits(22, 31)) | (entry.value() & Bits(13, 20)) << 19;
    return entry.address();
  }

  // What no page can say of itself.
  Walk Fail(WalkOutcome outcome, int level) {
    walk_.outcome = outcome;
    walk_.failed_level = static_cast<uint8_t>(level);
    walk_.writable = walk_.user = walk_.executable = false;
    return walk_;
  }

  const PagingRegisters registers_;
  const GuestRam& ram_;
  const uint64_t linear_;
  const Format format_;
  Walk walk_;
};

}  // namespace

Walk WalkPageTables(const PagingRegisters& registers, const GuestRam& ram, uint64_t linear) {
  if (registers.mode() == PagingMode::kNone) {
    return {.physical = linear & Bits(0, 31), .writable = true, .user = true, .executable = true};
  }
  if (registers.mode() != PagingMode::k4Level) linear &= Bits(0, 31);
  if (registers.mode() == PagingMode::k4Level && !IsCanonical(linear)) {
    return {.outcome = WalkOutcome::kNotCanonical};
  }
  return Walker(registers, ram, linear).Run();
}

}  // namespace hv::mmu
