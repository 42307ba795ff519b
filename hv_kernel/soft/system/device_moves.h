// Instructions that move a value between a register and a device and do nothing else: IN, and MOV,
// MOVZX, MOVSX, MOVSXD to or from device memory. They leave once: a load is finished by its answer
// instead of being started anew.
#pragma once

#include <cstdint>

#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/instruction.h"

namespace hv::soft {

// Whether `insn` is one of them with an operand in memory, the other a general register or, for a
// store, a constant.
bool IsPlainMove(const Instruction& insn);

// Whether device memory takes an access there as one: aligned to its size.
constexpr bool IsOneDeviceAccess(uint64_t physical, uint32_t bytes) {
  return (physical & (bytes - 1)) == 0;
}

// Executes the plain move `insn`, whose operand is the device memory at `physical`, as a handler
// does. kExit: a load has left.
Outcome MoveDevice(Cpu& cpu, const Instruction& insn, uint64_t physical);

// Leaves to read `width` bytes of a device into the first operand of `insn`.
Outcome LeaveToLoad(Cpu& cpu, const Instruction& insn, uint8_t space, uint64_t address,
                    uint8_t width);
// The answer of LeaveToLoad. The instruction is then ready to retire.
// REQUIRES: cpu.load != nullptr.
void FinishLoad(Cpu& cpu, uint64_t value);

}  // namespace hv::soft
