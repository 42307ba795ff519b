// Moving segment registers and their bases: MOV, PUSH, POP Sreg, LDS to LSS, SWAPGS, RDFSBASE and
// its kin (Intel SDM vol. 2).
#include <Zydis/Mnemonic.h>

#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/system/instructions.h"
#include "hv_kernel/soft/system/operand_access.h"
#include "hv_kernel/soft/system/segments.h"

namespace hv::soft {
namespace {

constexpr uint32_t kMovSsShadow = 2;

Outcome Load(Cpu& cpu, uint8_t segment, uint16_t selector) {
  if (segment == HV_CS) return Raise(cpu, Vector::kInvalidOpcode);
  HV_RETURN_UNLESS_DONE(LoadSegment(cpu, segment, selector));
  if (segment == HV_SS) {  // single steps are held off as interrupts are
    cpu.interrupt_shadow = kMovSsShadow;
    cpu.single_step = false;
  }
  return Outcome::kDone;
}

uint8_t SegmentOf(uint16_t mnemonic) {
  switch (mnemonic) {
    case ZYDIS_MNEMONIC_LDS: return HV_DS;
    case ZYDIS_MNEMONIC_LES: return HV_ES;
    case ZYDIS_MNEMONIC_LFS: return HV_FS;
    case ZYDIS_MNEMONIC_LGS: return HV_GS;
    default: return HV_SS;
  }
}

}  // namespace

Outcome MovSegment(Cpu& cpu, const Instruction& insn) {
  if (insn.operands[0].kind == Operand::Kind::kSegment) {
    uint64_t value;
    HV_RETURN_UNLESS_DONE(ReadOperand(cpu, insn, insn.operands[1], value, 2));
    return Load(cpu, insn.operands[0].reg, static_cast<uint16_t>(value));
  }
  const Operand& to = insn.operands[0];
  const uint16_t selector = cpu.segment[insn.operands[1].reg].selector;
  return WriteOperand(cpu, insn, to, selector, to.kind == Operand::Kind::kMemory ? 2 : to.bytes);
}

Outcome PushSegment(Cpu& cpu, const Instruction& insn) {
  return Push(cpu, cpu.segment[insn.operands[0].reg].selector, insn.operand_bytes);
}

Outcome PopSegment(Cpu& cpu, const Instruction& insn) {
  const uint64_t rsp = cpu.gpr[HV_RSP];
  uint64_t value;
  HV_RETURN_UNLESS_DONE(Pop(cpu, value, insn.operand_bytes));
  const Outcome outcome = Load(cpu, insn.operands[0].reg, static_cast<uint16_t>(value));
  if (outcome != Outcome::kDone) cpu.gpr[HV_RSP] = rsp;
  return outcome;
}

Outcome LoadFarPointer(Cpu& cpu, const Instruction& insn) {
  const uint32_t bytes = insn.operand_bytes;
  uint64_t linear;
  HV_RETURN_UNLESS_DONE(LinearOf(cpu, insn, insn.operands[1], bytes + 2, false, linear));
  uint8_t image[10] = {};
  HV_RETURN_UNLESS_DONE(ReadLinear(cpu, linear, image, bytes + 2, CurrentTlbIndex(cpu)));
  uint64_t offset = 0;
  for (int i = static_cast<int>(bytes) - 1; i >= 0; --i) offset = offset << 8 | image[i];
  const auto selector = static_cast<uint16_t>(image[bytes] | image[bytes + 1] << 8);
  HV_RETURN_UNLESS_DONE(Load(cpu, SegmentOf(insn.mnemonic), selector));
  WriteGpr(cpu, insn.operands[0], offset);
  return Outcome::kDone;
}

Outcome Swapgs(Cpu& cpu, const Instruction&) {
  if (PrivilegeLevel(cpu) != 0) return RaiseWithCode(cpu, Vector::kGeneralProtection, 0);
  const uint64_t base = cpu.segment[HV_GS].base;
  cpu.segment[HV_GS].base = cpu.kernel_gs_base;
  cpu.kernel_gs_base = base;
  return Outcome::kDone;
}

Outcome ReadWriteBase(Cpu& cpu, const Instruction& insn) {
  if ((cpu.cr4 & kCr4Fsgsbase) == 0) return Raise(cpu, Vector::kInvalidOpcode);
  const bool fs =
      insn.mnemonic == ZYDIS_MNEMONIC_RDFSBASE || insn.mnemonic == ZYDIS_MNEMONIC_WRFSBASE;
  const bool read =
      insn.mnemonic == ZYDIS_MNEMONIC_RDFSBASE || insn.mnemonic == ZYDIS_MNEMONIC_RDGSBASE;
  uint64_t& base = cpu.segment[fs ? HV_FS : HV_GS].base;
  if (read) {
    WriteGpr(cpu, insn.operands[0], base);
    return Outcome::kDone;
  }
  const uint64_t value = ReadGpr(cpu, insn.operands[0]);
  if (!IsCanonical(value)) return RaiseWithCode(cpu, Vector::kGeneralProtection, 0);
  base = value;
  return Outcome::kDone;
}

}  // namespace hv::soft
