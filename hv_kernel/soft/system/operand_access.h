// Operands of an instruction executed by a handler: registers of every width, memory, immediates.
#pragma once

#include <cstdint>

#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/instruction.h"

namespace hv::soft {

constexpr uint64_t WidthMask(uint32_t bytes) {
  return bytes >= 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * bytes)) - 1;
}

uint64_t ReadGpr(const Cpu& cpu, const Operand& operand);
// 32-bit writes clear the upper half, narrower ones leave the rest (SDM vol. 1, 3.4.1.1).
void WriteGpr(Cpu& cpu, const Operand& operand, uint64_t value);
void WriteGpr(Cpu& cpu, uint8_t reg, uint32_t bytes, uint64_t value);

// Offset within the segment, wrapped to the address size.
uint64_t EffectiveOffset(const Cpu& cpu, const Instruction& insn, const Operand& operand);
// Base of the segment as it counts in the current mode: 0 for ES, CS, SS, DS in 64-bit mode.
uint64_t SegmentBase(const Cpu& cpu, uint8_t segment);
// Checks [offset, offset + bytes) against the segment and gives the linear address. #GP(0) or
// #SS(0).
Outcome Linear(Cpu& cpu, uint8_t segment, uint64_t offset, uint32_t bytes, bool write,
               uint64_t& linear);
Outcome LinearOf(Cpu& cpu, const Instruction& insn, const Operand& operand, uint32_t bytes,
                 bool write, uint64_t& linear);

// Zero-extended to 64 bits; `bytes` 0 means the operand's own width.
Outcome ReadOperand(Cpu& cpu, const Instruction& insn, const Operand& operand, uint64_t& value,
                    uint32_t bytes = 0);
Outcome WriteOperand(Cpu& cpu, const Instruction& insn, const Operand& operand, uint64_t value,
                     uint32_t bytes = 0);

// Width of the stack pointer: 8 in 64-bit mode, else by SS.B.
uint32_t StackAddressBytes(const Cpu& cpu);
Outcome Push(Cpu& cpu, uint64_t value, uint32_t bytes);
Outcome Pop(Cpu& cpu, uint64_t& value, uint32_t bytes);

}  // namespace hv::soft
