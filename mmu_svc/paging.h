// What the paging hardware is told: control registers and paging-structure entries (Intel SDM vol.
// 3, chapter 4).
#pragma once

#include <cstdint>

#include "abi/platform.h"

namespace hv::mmu {

enum class PagingMode : uint8_t { kNone, k32Bit, kPae, k4Level };

// The registers that decide how a linear address is translated (SDM vol. 3, 4.1.1).
class PagingRegisters {
 public:
  constexpr PagingRegisters(uint64_t cr0, uint64_t cr3, uint64_t cr4, uint64_t efer)
      : cr0_(cr0), cr3_(cr3), cr4_(cr4), efer_(efer) {}

  constexpr PagingMode mode() const {
    if ((cr0_ & kCr0Paging) == 0) return PagingMode::kNone;
    if ((efer_ & kEferLongModeActive) != 0) return PagingMode::k4Level;
    return (cr4_ & kCr4Pae) != 0 ? PagingMode::kPae : PagingMode::k32Bit;
  }
  constexpr bool no_execute() const { return (efer_ & kEferNoExecute) != 0; }
  constexpr bool page_size_extensions() const { return (cr4_ & kCr4PageSize) != 0; }
  constexpr bool global_pages() const { return (cr4_ & kCr4GlobalPages) != 0; }
  constexpr uint64_t cr3() const { return cr3_; }

 private:
  static constexpr uint64_t kCr0Paging = 1u << 31;
  static constexpr uint64_t kCr4PageSize = 1u << 4;
  static constexpr uint64_t kCr4Pae = 1u << 5;
  static constexpr uint64_t kCr4GlobalPages = 1u << 7;
  static constexpr uint64_t kEferLongModeActive = 1u << 10;
  static constexpr uint64_t kEferNoExecute = 1u << 11;

  uint64_t cr0_, cr3_, cr4_, efer_;
};

// One entry of any level (SDM vol. 3, tables 4-5 to 4-20). 4-byte entries have the upper half zero.
class PagingEntry {
 public:
  explicit constexpr PagingEntry(uint64_t value) : value_(value) {}

  constexpr uint64_t value() const { return value_; }
  constexpr bool present() const { return (value_ & 1u << 0) != 0; }
  constexpr bool writable() const { return (value_ & 1u << 1) != 0; }
  constexpr bool user() const { return (value_ & 1u << 2) != 0; }
  constexpr bool accessed() const { return (value_ & 1u << 5) != 0; }
  constexpr bool dirty() const { return (value_ & 1u << 6) != 0; }
  constexpr bool page_size() const { return (value_ & 1u << 7) != 0; }
  constexpr bool global() const { return (value_ & 1u << 8) != 0; }
  constexpr bool no_execute() const { return (value_ & 1ull << 63) != 0; }
  // Of the next table, or of a 4 KiB page.
  constexpr uint64_t address() const { return value_ & kAddress; }
  constexpr bool has(uint64_t bits) const { return (value_ & bits) != 0; }

 private:
  static constexpr uint64_t kAddress = ((1ull << HV_PHYSICAL_ADDRESS_BITS) - 1) & ~0xfffull;

  uint64_t value_;
};

}  // namespace hv::mmu
