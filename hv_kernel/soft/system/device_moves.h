// Instructions that move a value between a register and a device and do nothing else: IN, and MOV,
// MOVZX, MOVSX, MOVSXD to or from device memory. They leave once: a load is finished by its answer
// instead of being started anew.
#pragma once

#include <cstdint>
#include <optional>

#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/instruction.h"

namespace hv::soft {

// What a MOV and the like between memory and a general register or, for a store, a constant does.
struct DeviceMove {
  enum class Kind : uint8_t { kNone, kLoad, kLoadExtendingSign, kStore, kStoreConstant };

  Kind kind = Kind::kNone;
  uint8_t reg = kNoRegister;  // enum hv_gpr
  uint8_t register_bytes = 0;
  bool high_byte = false;  // AH, CH, DH, BH as `reg` 0 to 3
  int32_t constant = 0;    // extended as far as the memory operand is wide
};

// kNone: `insn` is something else.
DeviceMove DeviceMoveOf(const Instruction& insn);
// What it stores, nullopt for a load, into `width` bytes.
std::optional<uint64_t> StoredBy(const Cpu& cpu, const DeviceMove& move, uint8_t width);

// Whether device memory takes an access there as one: aligned to its size.
constexpr bool IsOneDeviceAccess(uint64_t physical, uint32_t bytes) {
  return (physical & (bytes - 1)) == 0;
}

// Executes the move, whose operand in memory are the `width` bytes of a device at `physical`, as a
// handler does. kExit: a load has left.
Outcome MoveDevice(Cpu& cpu, const DeviceMove& move, uint64_t physical, uint8_t width);

// Leaves to read `width` bytes of a device into what `load` says.
Outcome LeaveToLoad(Cpu& cpu, const Cpu::PendingLoad& load, uint8_t space, uint64_t address,
                    uint8_t width);
// The answer of LeaveToLoad. The instruction is then ready to retire.
// REQUIRES: cpu.load.pending.
void FinishLoad(Cpu& cpu, uint64_t value);

}  // namespace hv::soft
