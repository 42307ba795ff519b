// What of the CPU's state translated code takes for granted: part of a block's key.
#pragma once

#include <cstdint>

#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/instruction.h"

namespace hv::soft {

//  31 17 16  15   14   13  12   11   10  9  8   7    6    5    4  3    2  1    0
// +-----+--+----+----+--+----+----+---+--+--+----+----+----+----+------+------+
// |  0  |LO|SMAP|RING|UN|TSC-|REAL|S16|SL|SI|FLAT|AVX-|SSE-|FPU-|  TLB | code |
// +-----+--+----+----+--+----+----+---+--+--+----+----+----+----+------+------+
class Mode {
 public:
  Mode() = default;
  explicit Mode(uint32_t bits) : bits_(bits) {}

  static Mode Of(const Cpu& cpu);

  uint32_t bits() const { return bits_; }
  CodeMode code() const { return static_cast<CodeMode>(bits_ & 3); }
  TlbIndex tlb() const { return static_cast<TlbIndex>(bits_ >> 2 & 3); }
  bool fpu_off() const { return (bits_ & kFpuOff) != 0; }  // x87: #NM
  bool sse_off() const { return (bits_ & kSseOff) != 0; }
  bool avx_off() const { return (bits_ & kAvxOff) != 0; }
  // ES, CS, SS, DS have base 0 and no limit that could be hit, and SS is 32 bits wide.
  bool flat() const { return (bits_ & kFlat) != 0; }
  // The stack pointer is SP: SS.B is clear, outside 64-bit mode.
  bool narrow_stack() const { return (bits_ & kNarrowStack) != 0; }
  // Real mode, or virtual-8086: segments have no rights.
  bool real() const { return (bits_ & kReal) != 0; }
  // RDTSC: #GP(0).
  bool tsc_forbidden() const { return (bits_ & kTscForbidden) != 0; }
  bool ring0() const { return tlb() != TlbIndex::kUser && (bits_ & kInnerRing) == 0; }
  // RFLAGS.AC chooses the TLB of supervisors.
  bool smap() const { return (bits_ & kSmap) != 0; }
  // One instruction, then kDone.
  bool single() const { return (bits_ & kSingle) != 0; }
  // As single, with every memory access through a bounce buffer.
  bool slow() const { return (bits_ & kSlow) != 0; }
  // Each access has its own probe (shared_probes.h).
  bool unshared() const { return (bits_ & kUnshared) != 0; }
  // The head of a loop in 64-bit code (run.h).
  bool loop() const { return (bits_ & kLoop) != 0; }
  // What the jump caches hold: none of the four above.
  bool plain() const { return (bits_ & (kSingle | kSlow | kUnshared | kLoop)) == 0; }

  Mode Single() const { return Mode(bits_ | kSingle); }
  Mode Slow() const { return Mode(bits_ | kSlow | kSingle); }
  Mode Unshared() const { return Mode(bits_ | kUnshared); }
  Mode Loop() const { return Mode(bits_ | kLoop); }

  friend bool operator==(Mode, Mode) = default;

 private:
  static constexpr uint32_t kFpuOff = 1u << 4, kSseOff = 1u << 5, kAvxOff = 1u << 6,
                            kFlat = 1u << 7, kSingle = 1u << 8, kSlow = 1u << 9,
                            kNarrowStack = 1u << 10, kReal = 1u << 11, kTscForbidden = 1u << 12,
                            kUnshared = 1u << 13, kInnerRing = 1u << 14, kSmap = 1u << 15,
                            kLoop = 1u << 16;
  uint32_t bits_ = 0;
};

}  // namespace hv::soft
