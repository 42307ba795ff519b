// What CPUID shows the guest: what the host has and the engine passes through, nothing else.
#pragma once

#include <cstdint>
#include <vector>

#include "abi/cpuid_table.h"

namespace hv::vcpu {

// CPUID of the host; tests bring their own.
class CpuidSource {
 public:
  struct Registers {
    uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  };
  virtual ~CpuidSource() = default;
  virtual Registers Get(uint32_t leaf, uint32_t subleaf) const = 0;
};

class HostCpuid : public CpuidSource {
 public:
  Registers Get(uint32_t leaf, uint32_t subleaf) const override;
};

struct CpuidPolicy {
  uint32_t cpus;  // one thread a core, one package
  uint64_t tsc_hz;
};

// IA32_ARCH_CAPABILITIES (MSR 10AH) of a CPU run by `soft`: what its host is not vulnerable to, and
// RDCL_NO. A guest's pages are the host's user pages; whether the guest may read one is decided by
// instructions, so no load runs ahead of a fault, and a guest kernel that hides itself from its
// processes hides from nothing.
constexpr uint64_t ArchCapabilities(uint64_t host_immunities) { return host_immunities | 1; }

// True when the vendor string is GenuineIntel.
bool IsIntel(const CpuidSource& source);

// The table for abi/cpuid_table.h; at most HV_MAX_CPUID_ENTRIES.
std::vector<hv_cpuid_entry> BuildCpuidTable(const CpuidSource& source, const CpuidPolicy& policy);

}  // namespace hv::vcpu
