// The model-specific registers vcpu_svc answers for (Intel SDM vol. 4, chapter 2; AMD APM vol. 2,
// appendix A), one line each. Those that are CPU state belong to the engine; the local APIC's are in
// local_apic.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace hv::vcpu {

// Who may write what.
enum class WriteRule : uint8_t {
  kReadOnly,   // #GP
  kIgnore,     // accepted and dropped, as registers of hardware that is not there
  kMasked,     // bits of `writable`; others #GP
};

enum class Vendor : uint8_t { kAny, kIntel, kAmd };

struct MsrRow {
  uint32_t index;
  uint32_t count;  // consecutive registers of the same kind
  uint64_t reset;
  uint64_t writable;
  WriteRule rule;
  Vendor vendor;
  bool in_snapshot;  // part of a vCPU's state: kept by ExportState
  const char* name;
};

std::span<const MsrRow> MsrTable();

// Registers with storage of their own in a vCPU's state, in table order.
inline constexpr size_t kStoredMsrs = 40;

// Where a register is in the table and, if it is stored, in the state. False: no such MSR.
bool FindMsr(uint32_t index, bool intel, const MsrRow*& row, int& slot);

}  // namespace hv::vcpu
