// PUSH, POP and (in 64-bit mode) LEAVE. Nothing here changes a flag.
#include <Zydis/Zydis.h>

#include "hv_kernel/soft/translate/families.h"

namespace hv::soft {
namespace {

namespace x86 = asmjit::x86;

void StoreAccessed(Emission& e, const x86::Gp& from, uint32_t bytes) {
  switch (bytes) {
    case 8: e.a().mov(e.Accessed(8), from); break;
    case 4: e.a().mov(e.Accessed(4), from.r32()); break;
    default: e.a().mov(e.Accessed(2), from.r16());
  }
}

void LoadAccessed(Emission& e, const x86::Gp& to, uint32_t bytes) {
  switch (bytes) {
    case 8: e.a().mov(to, e.Accessed(8)); break;
    case 4: e.a().mov(to.r32(), e.Accessed(4)); break;
    default: e.a().mov(to.r16(), e.Accessed(2));
  }
}

Emitted EmitPush(Emission& e) {
  x86::Assembler& a = e.a();
  const uint32_t bytes = e.insn().operand_bytes;
  const Operand& operand = e.insn().operands[0];
  if (operand.kind == Operand::Kind::kMemory) {
    e.EmitOperandAccess(operand, bytes, MemoryUse::kRead);
    LoadAccessed(e, kTemp1, bytes);
    a.mov(CpuScratch(0), kTemp1);
  }
  e.EmitStackAccess(-static_cast<int64_t>(bytes), bytes, MemoryUse::kWrite);
  switch (operand.kind) {
    case Operand::Kind::kMemory:
      a.mov(kTemp1, CpuScratch(0));
      StoreAccessed(e, kTemp1, bytes);
      break;
    case Operand::Kind::kImmediate:
      e.LoadImmediate(kTemp1, static_cast<uint64_t>(operand.value));
      StoreAccessed(e, kTemp1, bytes);
      break;
    default: StoreAccessed(e, e.Use(operand.reg, kTemp1), bytes);
  }
  e.EmitStackMove(-static_cast<int32_t>(bytes));
  return Emitted::kGoesOn;
}

Emitted EmitPopRegister(Emission& e, uint8_t reg, uint32_t bytes) {
  x86::Assembler& a = e.a();
  if (reg == HV_RSP) {  // the value popped is what RSP becomes
    LoadAccessed(e, kTemp1, bytes);
    // POP SP on a 32-bit stack leaves the upper half incremented.
    if (bytes == 2 && !e.mode().narrow_stack()) e.EmitStackMove(static_cast<int32_t>(bytes));
    if (bytes == 2) {
      a.mov(kGuestRsp.r16(), kTemp1.r16());
    } else {
      a.mov(bytes == 8 ? kGuestRsp : kGuestRsp.r32(), bytes == 8 ? kTemp1 : kTemp1.r32());
    }
    return Emitted::kGoesOn;
  }
  if (InMemory(reg)) {
    if (bytes == 2) a.mov(kTemp1, CpuGpr(reg));
    LoadAccessed(e, kTemp1, bytes);
    e.Store(reg, kTemp1);
  } else {
    LoadAccessed(e, HostRegister(reg), bytes);
  }
  e.EmitStackMove(static_cast<int32_t>(bytes));
  return Emitted::kGoesOn;
}

Emitted EmitPop(Emission& e) {
  x86::Assembler& a = e.a();
  const uint32_t bytes = e.insn().operand_bytes;
  const Operand& operand = e.insn().operands[0];
  e.EmitStackAccess(0, bytes, MemoryUse::kRead);
  if (operand.kind != Operand::Kind::kMemory) return EmitPopRegister(e, operand.reg, bytes);
  LoadAccessed(e, kTemp1, bytes);
  a.mov(CpuScratch(0), kTemp1);
  // The address of the destination is computed with RSP already incremented (SDM vol. 2, POP).
  Operand target = operand;
  if (target.base == HV_RSP) target.value += bytes;
  e.EmitOperandAccess(target, bytes, MemoryUse::kWrite);
  a.mov(kTemp1, CpuScratch(0));
  StoreAccessed(e, kTemp1, bytes);
  e.EmitStackMove(static_cast<int32_t>(bytes));
  return Emitted::kGoesOn;
}

Emitted EmitLeave(Emission& e) {
  x86::Assembler& a = e.a();
  const uint64_t retry = e.here();
  a.mov(kTemp0, x86::rbp);
  e.EmitProbe(8, MemoryUse::kRead, true, retry);
  a.lea(kGuestRsp, x86::ptr(x86::rbp, 8));
  a.mov(x86::rbp, x86::ptr(kTemp0));
  return Emitted::kGoesOn;
}

}  // namespace

Emitted EmitStack(Emission& e) {
  switch (e.insn().mnemonic) {
    case ZYDIS_MNEMONIC_PUSH: return EmitPush(e);
    case ZYDIS_MNEMONIC_POP: return EmitPop(e);
    case ZYDIS_MNEMONIC_LEAVE: return e.insn().operand_bytes == 8 ? EmitLeave(e) : Emitted::kNot;
    default: return Emitted::kNot;
  }
}

}  // namespace hv::soft
