// Instructions whose memory operand is special: LEA computes it, hints ignore it, bit strings (BT
// and its kin with a register index) reach beyond it.
#include <Zydis/Zydis.h>

#include "hv_kernel/soft/translate/families.h"
#include "hv_kernel/soft/translate/re_encode.h"

namespace hv::soft {
namespace {

namespace x86 = asmjit::x86;

Emitted EmitLea(Emission& e) {
  x86::Assembler& a = e.a();
  const Operand& to = e.insn().operands[0];
  if (to.bytes >= 4) {
    const x86::Gp host = InMemory(to.reg) ? kTemp0 : HostRegister(to.reg);
    e.EmitOffset(e.insn().operands[1], host);
    if (to.bytes == 4) a.mov(host.r32(), host.r32());
    e.Store(to.reg, host);
  } else {
    e.EmitOffset(e.insn().operands[1], kTemp0);
    const x86::Gp host = e.Use(to.reg, kTemp1);
    a.mov(host.r16(), kTemp0.r16());
    e.Store(to.reg, host);
  }
  return Emitted::kGoesOn;
}

// The bit index in a register selects a bit anywhere in memory (SDM vol. 2, BT). The operand
// actually accessed lies at the address plus the index, divided down to operands; the index within
// it remains.
Emitted EmitBitString(Emission& e) {
  x86::Assembler& a = e.a();
  const Operand& memory = e.insn().operands[0];
  const Operand& index = e.insn().operands[1];
  if (memory.kind != Operand::Kind::kMemory || index.kind != Operand::Kind::kGpr) {
    return Emitted::kNot;
  }
  const uint32_t bytes = memory.bytes;
  const uint32_t log2_bits = bytes == 8 ? 6 : bytes == 4 ? 5 : 4;
  const uint32_t log2_bytes = log2_bits - 3;
  const MemoryUse use =
      e.insn().mnemonic == ZYDIS_MNEMONIC_BT ? MemoryUse::kRead : MemoryUse::kReadWrite;
  const uint64_t retry = e.here();
  e.EmitRights(memory.segment, use);
  e.EmitOffset(memory, kTemp0);
  a.mov(CpuScratch(1), kTemp0);
  const x86::Gp from = e.Use(index.reg, kTemp1);
  switch (bytes) {
    case 8:
      if (from != kTemp1) a.mov(kTemp1, from);
      break;
    case 4: a.movsxd(kTemp1, from.r32()); break;
    default: a.movsx(kTemp1, from.r16());
  }
  a.mov(kTemp0.r32(), log2_bits);
  a.sarx(kTemp1, kTemp1, kTemp0);  // keeps flags
  a.mov(kTemp0, CpuScratch(1));
  a.lea(kTemp0, x86::ptr(kTemp0, kTemp1, log2_bytes));
  if (e.insn().address_bytes == 4) a.mov(kTemp0.r32(), kTemp0.r32());
  if (e.insn().address_bytes == 2) a.movzx(kTemp0.r32(), kTemp0.r16());
  e.EmitSegmentBase(memory.segment);
  e.EmitProbe(bytes, use, memory.segment == HV_SS, retry);
  const x86::Gp again = e.Use(index.reg, kTemp1);
  const x86::Mem at = x86::ptr(kTemp0, 0, bytes);
  // BT with an index in a register that is within the operand: the low bits, kept by PEXT.
  a.mov(CpuScratch(1), static_cast<int32_t>((1u << log2_bits) - 1));
  a.pext(kTemp1, again, CpuScratch(1));
  x86::Gp bit = kTemp1;
  if (bytes == 4) bit = kTemp1.r32();
  if (bytes == 2) bit = kTemp1.r16();
  if (e.insn().lock) a.lock();
  switch (e.insn().mnemonic) {
    case ZYDIS_MNEMONIC_BT: a.bt(at, bit); break;
    case ZYDIS_MNEMONIC_BTS: a.bts(at, bit); break;
    case ZYDIS_MNEMONIC_BTR: a.btr(at, bit); break;
    default: a.btc(at, bit);
  }
  return Emitted::kGoesOn;
}

// MASKMOVQ and MASKMOVDQU store where RDI says; they get the host's address there for a moment.
Emitted EmitMaskMove(Emission& e, uint32_t bytes) {
  x86::Assembler& a = e.a();
  Operand memory;
  memory.kind = Operand::Kind::kMemory;
  memory.base = HV_RDI;
  const ZydisDecodedInstruction& zydis = e.decoded().zydis;
  if ((zydis.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_ES) != 0) memory.segment = HV_ES;
  if ((zydis.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_CS) != 0) memory.segment = HV_CS;
  if ((zydis.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_SS) != 0) memory.segment = HV_SS;
  if ((zydis.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_FS) != 0) memory.segment = HV_FS;
  if ((zydis.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_GS) != 0) memory.segment = HV_GS;
  e.EmitOperandAccess(memory, bytes, MemoryUse::kReadWrite);
  // Whatever x87 has pending is raised while the guest's RDI is still in place.
  if (zydis.mnemonic == ZYDIS_MNEMONIC_MASKMOVQ) a.fwait();
  a.xchg(kTemp0, x86::rdi);
  const bool done = ReEncode(e);
  a.xchg(kTemp0, x86::rdi);
  return done ? Emitted::kGoesOn : Emitted::kNot;
}

}  // namespace

Emitted EmitAddressing(Emission& e) {
  switch (e.insn().mnemonic) {
    case ZYDIS_MNEMONIC_LEA: return EmitLea(e);
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC: return EmitBitString(e);
    case ZYDIS_MNEMONIC_MASKMOVQ: return EmitMaskMove(e, 8);
    case ZYDIS_MNEMONIC_MASKMOVDQU:
    case ZYDIS_MNEMONIC_VMASKMOVDQU: return EmitMaskMove(e, 16);
    case ZYDIS_MNEMONIC_NOP:
    case ZYDIS_MNEMONIC_PREFETCH:
    case ZYDIS_MNEMONIC_PREFETCHW:
    case ZYDIS_MNEMONIC_PREFETCHWT1:
    case ZYDIS_MNEMONIC_PREFETCHNTA:
    case ZYDIS_MNEMONIC_PREFETCHT0:
    case ZYDIS_MNEMONIC_PREFETCHT1:
    case ZYDIS_MNEMONIC_PREFETCHT2:
    case ZYDIS_MNEMONIC_ENDBR32:
    case ZYDIS_MNEMONIC_ENDBR64: return Emitted::kGoesOn;
    default: return Emitted::kNot;
  }
}

}  // namespace hv::soft
