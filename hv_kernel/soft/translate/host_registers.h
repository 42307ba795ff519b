// Which host register holds which guest register in generated code.
//
// RAX RCX RDX RBX RBP RSI RDI R8 R9 R12 R13 R14 are in their namesakes and RSP is in host R15.
// Guest R10, R11 and R15 are in Cpu::gpr: compilers use them least. Host R10 and R11 are the
// translator's temporaries, host RSP is the host's stack, GS the base of Cpu.
#pragma once

#include <asmjit/x86.h>

#include <cstddef>
#include <cstdint>

#include "hv_kernel/soft/cpu.h"

namespace hv::soft {

inline const asmjit::x86::Gp kTemp0 = asmjit::x86::r10;
inline const asmjit::x86::Gp kTemp1 = asmjit::x86::r11;
inline const asmjit::x86::Gp kGuestRsp = asmjit::x86::r15;

constexpr bool InMemory(uint8_t guest) {
  return guest == HV_R10 || guest == HV_R11 || guest == HV_R15;
}
// Number of the host register. REQUIRES: !InMemory(guest).
constexpr uint8_t HostNumber(uint8_t guest) { return guest == HV_RSP ? 15 : guest; }
inline asmjit::x86::Gp HostRegister(uint8_t guest) { return asmjit::x86::gpq(HostNumber(guest)); }

// A field of Cpu as an operand.
inline asmjit::x86::Mem CpuField(size_t offset, uint32_t bytes = 8) {
  auto mem = asmjit::x86::ptr_abs(offset, bytes);
  mem.setSegment(asmjit::x86::gs);
  return mem;
}
inline asmjit::x86::Mem CpuGpr(uint8_t guest) {
  return CpuField(offsetof(Cpu, gpr) + guest * sizeof(uint64_t));
}
// `field` of hv_segment_state, by offset.
inline asmjit::x86::Mem CpuSegment(int segment, size_t field, uint32_t bytes) {
  return CpuField(
      offsetof(Cpu, segment) + static_cast<size_t>(segment) * sizeof(hv_segment_state) + field,
      bytes);
}
inline asmjit::x86::Mem CpuScratch(int i) {
  return CpuField(offsetof(Cpu, scratch) + static_cast<size_t>(i) * sizeof(uint64_t));
}
inline asmjit::x86::Mem CpuSetAside(uint8_t guest) {
  return CpuField(offsetof(Cpu, set_aside) + guest * sizeof(uint64_t));
}
inline asmjit::x86::Mem CpuShared(size_t slot) {
  return CpuField(offsetof(Cpu, shared) + slot * sizeof(uint64_t));
}

}  // namespace hv::soft
