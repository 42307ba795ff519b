// Reading and writing guest memory by linear address from C++: rights, page crossings, devices.
#pragma once

#include <cstdint>

#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/memory/page_walker.h"

namespace hv::soft {

// Sets cpu.exception and returns kException.
Outcome Raise(Cpu& cpu, Vector vector);
Outcome RaiseWithCode(Cpu& cpu, Vector vector, uint32_t error_code);
Outcome RaisePageFault(Cpu& cpu, uint64_t linear, uint32_t error_code);

// Where one page of an access goes.
struct Location {
  uint8_t* host = nullptr;  // null: a device or nothing, at `physical`
  uint64_t physical = 0;
  uint64_t ram_page = 0;
  bool writable = false;  // host != null: RAM rather than ROM
  uint8_t page_shift = 12;
  bool global = false;  // stays where it is when CR3 changes
};

// Rights as generated code in the current mode has them: by CPL, RFLAGS.AC.
TlbIndex CurrentTlbIndex(const Cpu& cpu);

// Translates one linear address. Enters the page in the TLB `index` when it is RAM, else in its
// table of device pages. #PF, or #GP(0)
// (#SS(0) if `stack`) when the address is not canonical.
Outcome Locate(Cpu& cpu, uint64_t linear, AccessKind kind, TlbIndex index, bool stack,
               Location& location);

// #GP(0) (#SS(0) if `stack`) when any byte of the range is not canonical, before pages are looked
// at.
Outcome CheckCanonical(Cpu& cpu, uint64_t linear, uint32_t bytes, bool stack);

// Copies guest memory. The whole range is checked before anything is written. Reads of devices may
// return kExit: the instruction starts again when the answer is there. Writes to devices are queued
// in cpu.writes and leave after the instruction. bytes <= 1024.
Outcome ReadLinear(Cpu& cpu, uint64_t linear, void* to, uint32_t bytes, TlbIndex index,
                   bool stack = false);
Outcome WriteLinear(Cpu& cpu, uint64_t linear, const void* from, uint32_t bytes, TlbIndex index,
                    bool stack = false);
// What has to be known of bytes stored to RAM past the TLB: code may have been made from them.
void NoteStore(Cpu& cpu, uint64_t physical, uint64_t ram_page, uint32_t bytes);
// Whether all of the range may be written, without writing.
Outcome CheckWritable(Cpu& cpu, uint64_t linear, uint32_t bytes, TlbIndex index,
                      bool stack = false);

// The processor's own accesses to descriptor tables and the TSS: supervisor rights whatever the
// CPL.
template <typename T>
Outcome ReadSystem(Cpu& cpu, uint64_t linear, T& value) {
  return ReadLinear(cpu, linear, &value, sizeof(T), TlbIndex::kSupervisor);
}
template <typename T>
Outcome WriteSystem(Cpu& cpu, uint64_t linear, const T& value) {
  return WriteLinear(cpu, linear, &value, sizeof(T), TlbIndex::kSupervisor);
}

inline bool IsCanonical(uint64_t linear) {
  return static_cast<uint64_t>(static_cast<int64_t>(linear << 16) >> 16) == linear;
}

// The instruction has retired: answers of its device reads are used up.
inline void RetireDeviceReads(Cpu& cpu) { cpu.read_count = cpu.read_cursor = 0; }

// Device access of at most 8 bytes, shared with port I/O.
Outcome ReadDevice(Cpu& cpu, uint8_t space, uint64_t address, uint8_t width, uint64_t& value);
void QueueDeviceWrite(Cpu& cpu, uint8_t space, uint64_t address, uint8_t width, uint64_t value);

}  // namespace hv::soft
