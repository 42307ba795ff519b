// The model-specific registers vcpu_svc answers for (Intel SDM vol. 4, chapter 2; AMD APM vol. 2,
// appendix A), one line each. Those that are CPU state belong to the engine; IA32_APIC_BASE,
// IA32_TSC_DEADLINE and the x2APIC's are the local APIC's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace hv::vcpu {

// Who may write what.
enum class WriteRule : uint8_t {
  kReadOnly,   // #GP
  kIgnore,     // accepted and dropped, as registers of hardware that is not there
  kWriteOnly,  // as kIgnore; reads take #GP
  kStored,     // bits of `writable`, which are kept; others #GP
};

enum class Vendor : uint8_t { kAny, kIntel, kAmd };

struct MsrRow {
  uint32_t index;   // of the first register
  uint32_t count;   // registers of the same kind
  uint32_t stride;  // from one to the next
  uint64_t reset;
  uint64_t writable;
  uint8_t memory_types;  // so many low bytes hold a memory type each; undefined ones take #GP
  WriteRule rule;
  Vendor vendor;
  const char* name;

  // Part of a vCPU's state, and of its snapshot.
  constexpr bool stored() const { return rule == WriteRule::kStored; }
  // Whether a stored register can hold `value`.
  bool Accepts(uint64_t value) const;
};

std::span<const MsrRow> MsrTable();

// Registers with storage of their own in a vCPU's state, in table order.
inline constexpr size_t kStoredMsrs = 40;

struct MsrPlace {
  const MsrRow* row = nullptr;  // null: no such register
  int slot = -1;                // in the state; -1: not stored
};

MsrPlace FindMsr(uint32_t index, bool intel);

// Calls `visit(index, row, slot)` for each stored register of the vendor.
template <typename Visit>
void ForEachStoredMsr(bool intel, Visit visit) {
  for (const MsrRow& row : MsrTable()) {
    if (!row.stored()) continue;
    for (uint32_t n = 0; n < row.count; ++n) {
      const uint32_t index = row.index + n * row.stride;
      const MsrPlace place = FindMsr(index, intel);
      if (place.row == &row) visit(index, row, place.slot);
    }
  }
}

}  // namespace hv::vcpu
