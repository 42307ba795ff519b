// The probe's guest: a few instructions of 64-bit ring 0, the page tables they need, and nothing
// else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

struct kvm_sregs;

namespace hv::hvd {

enum class ProbeCode {
  kLoop,        // counts RCX down, then HLT
  kXsave,       // XSAVE of x87 state, then HLT
  kCmpxchg16b,  // CMPXCHG16B, then HLT
  kForever,     // a jump to itself
};

inline constexpr size_t kProbeMemoryBytes = 0x8000;
inline constexpr uint64_t kProbeRip = 0x4000;
inline constexpr uint64_t kProbeOperand = 0x5000;  // RSI: one page, aligned as XSAVE asks

// REQUIRES: memory.size() == kProbeMemoryBytes; it is guest-physical memory from 0 on.
// Writes page tables that map it to itself, and the code. An exception finds no IDT: it ends in a
// shutdown, which is the answer "not supported".
void WriteProbeGuest(ProbeCode code, std::span<std::byte> memory);

// Turns what a vCPU has after reset into 64-bit ring 0 with flat segments and paging (Intel SDM
// vol. 3, 10.8.5). `xsave`: also CR4.OSXSAVE, which KVM refuses where CPUID shows no XSAVE.
void EnterLongMode(kvm_sregs& registers, bool xsave);

}  // namespace hv::hvd
