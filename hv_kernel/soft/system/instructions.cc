#include "hv_kernel/soft/system/instructions.h"

#include <Zydis/Mnemonic.h>

#include <initializer_list>

namespace hv::soft {
namespace {

struct Table {
  HandlerInfo info[ZYDIS_MNEMONIC_MAX_VALUE + 1] = {};

  constexpr void Set(Handler handler, std::initializer_list<ZydisMnemonic> mnemonics,
                     bool vector_state = false) {
    for (ZydisMnemonic mnemonic : mnemonics) info[mnemonic] = {handler, vector_state};
  }

  constexpr Table() {
    Set(Iret, {ZYDIS_MNEMONIC_IRET, ZYDIS_MNEMONIC_IRETD, ZYDIS_MNEMONIC_IRETQ});
    Set(Syscall, {ZYDIS_MNEMONIC_SYSCALL});
    Set(Sysret, {ZYDIS_MNEMONIC_SYSRET});
    Set(Sysenter, {ZYDIS_MNEMONIC_SYSENTER});
    Set(Sysexit, {ZYDIS_MNEMONIC_SYSEXIT});
    Set(Cli, {ZYDIS_MNEMONIC_CLI});
    Set(Sti, {ZYDIS_MNEMONIC_STI});
    Set(Cld, {ZYDIS_MNEMONIC_CLD});
    Set(Std, {ZYDIS_MNEMONIC_STD});
    Set(Clac, {ZYDIS_MNEMONIC_CLAC});
    Set(Stac, {ZYDIS_MNEMONIC_STAC});
    Set(Pushf, {ZYDIS_MNEMONIC_PUSHF, ZYDIS_MNEMONIC_PUSHFD, ZYDIS_MNEMONIC_PUSHFQ});
    Set(Popf, {ZYDIS_MNEMONIC_POPF, ZYDIS_MNEMONIC_POPFD, ZYDIS_MNEMONIC_POPFQ});
    Set(Clts, {ZYDIS_MNEMONIC_CLTS});
    Set(Lmsw, {ZYDIS_MNEMONIC_LMSW});
    Set(Smsw, {ZYDIS_MNEMONIC_SMSW});
    Set(Xsetbv, {ZYDIS_MNEMONIC_XSETBV});
    Set(Xgetbv, {ZYDIS_MNEMONIC_XGETBV});
    Set(Invlpg, {ZYDIS_MNEMONIC_INVLPG});
    Set(Invpcid, {ZYDIS_MNEMONIC_INVPCID});
    Set(LoadTable, {ZYDIS_MNEMONIC_LGDT, ZYDIS_MNEMONIC_LIDT});
    Set(StoreTable, {ZYDIS_MNEMONIC_SGDT, ZYDIS_MNEMONIC_SIDT});
    Set(Lldt, {ZYDIS_MNEMONIC_LLDT});
    Set(Ltr, {ZYDIS_MNEMONIC_LTR});
    Set(StoreSystemSelector, {ZYDIS_MNEMONIC_SLDT, ZYDIS_MNEMONIC_STR});
    Set(Lar, {ZYDIS_MNEMONIC_LAR});
    Set(Lsl, {ZYDIS_MNEMONIC_LSL});
    Set(Verify, {ZYDIS_MNEMONIC_VERR, ZYDIS_MNEMONIC_VERW});
    Set(LoadFarPointer, {ZYDIS_MNEMONIC_LDS, ZYDIS_MNEMONIC_LES, ZYDIS_MNEMONIC_LFS,
                         ZYDIS_MNEMONIC_LGS, ZYDIS_MNEMONIC_LSS});
    Set(Swapgs, {ZYDIS_MNEMONIC_SWAPGS});
    Set(ReadWriteBase, {ZYDIS_MNEMONIC_RDFSBASE, ZYDIS_MNEMONIC_RDGSBASE, ZYDIS_MNEMONIC_WRFSBASE,
                        ZYDIS_MNEMONIC_WRGSBASE});
    Set(Rdmsr, {ZYDIS_MNEMONIC_RDMSR});
    Set(Wrmsr, {ZYDIS_MNEMONIC_WRMSR});
    Set(Rdtsc, {ZYDIS_MNEMONIC_RDTSC});
    Set(Rdtscp, {ZYDIS_MNEMONIC_RDTSCP});
    Set(Rdpid, {ZYDIS_MNEMONIC_RDPID});
    Set(Cpuid, {ZYDIS_MNEMONIC_CPUID});
    Set(In, {ZYDIS_MNEMONIC_IN});
    Set(Out, {ZYDIS_MNEMONIC_OUT});
    Set(Ins, {ZYDIS_MNEMONIC_INSB, ZYDIS_MNEMONIC_INSW, ZYDIS_MNEMONIC_INSD});
    Set(Outs, {ZYDIS_MNEMONIC_OUTSB, ZYDIS_MNEMONIC_OUTSW, ZYDIS_MNEMONIC_OUTSD});
    Set(Movs,
        {ZYDIS_MNEMONIC_MOVSB, ZYDIS_MNEMONIC_MOVSW, ZYDIS_MNEMONIC_MOVSD, ZYDIS_MNEMONIC_MOVSQ});
    Set(Stos,
        {ZYDIS_MNEMONIC_STOSB, ZYDIS_MNEMONIC_STOSW, ZYDIS_MNEMONIC_STOSD, ZYDIS_MNEMONIC_STOSQ});
    Set(Lods,
        {ZYDIS_MNEMONIC_LODSB, ZYDIS_MNEMONIC_LODSW, ZYDIS_MNEMONIC_LODSD, ZYDIS_MNEMONIC_LODSQ});
    Set(Cmps,
        {ZYDIS_MNEMONIC_CMPSB, ZYDIS_MNEMONIC_CMPSW, ZYDIS_MNEMONIC_CMPSD, ZYDIS_MNEMONIC_CMPSQ});
    Set(Scas,
        {ZYDIS_MNEMONIC_SCASB, ZYDIS_MNEMONIC_SCASW, ZYDIS_MNEMONIC_SCASD, ZYDIS_MNEMONIC_SCASQ});
    Set(Xsave,
        {ZYDIS_MNEMONIC_XSAVE, ZYDIS_MNEMONIC_XSAVE64, ZYDIS_MNEMONIC_XSAVEOPT,
         ZYDIS_MNEMONIC_XSAVEOPT64, ZYDIS_MNEMONIC_XSAVEC, ZYDIS_MNEMONIC_XSAVEC64},
        true);
    Set(Xrstor, {ZYDIS_MNEMONIC_XRSTOR, ZYDIS_MNEMONIC_XRSTOR64}, true);
    Set(Fxsave, {ZYDIS_MNEMONIC_FXSAVE, ZYDIS_MNEMONIC_FXSAVE64}, true);
    Set(Fxrstor, {ZYDIS_MNEMONIC_FXRSTOR, ZYDIS_MNEMONIC_FXRSTOR64}, true);
    Set(Gather,
        {ZYDIS_MNEMONIC_VPGATHERDD, ZYDIS_MNEMONIC_VPGATHERDQ, ZYDIS_MNEMONIC_VPGATHERQD,
         ZYDIS_MNEMONIC_VPGATHERQQ, ZYDIS_MNEMONIC_VGATHERDPS, ZYDIS_MNEMONIC_VGATHERDPD,
         ZYDIS_MNEMONIC_VGATHERQPS, ZYDIS_MNEMONIC_VGATHERQPD},
        true);
    Set(MaskedMove,
        {ZYDIS_MNEMONIC_VMASKMOVPS, ZYDIS_MNEMONIC_VMASKMOVPD, ZYDIS_MNEMONIC_VPMASKMOVD,
         ZYDIS_MNEMONIC_VPMASKMOVQ},
        true);
    Set(Halt, {ZYDIS_MNEMONIC_HLT});
    Set(Privileged, {ZYDIS_MNEMONIC_WBINVD, ZYDIS_MNEMONIC_INVD});
    Set(Pause, {ZYDIS_MNEMONIC_PAUSE});
    // Caches are coherent for the guest; the operand is still checked as a load.
    Set(FlushLine, {ZYDIS_MNEMONIC_CLFLUSH, ZYDIS_MNEMONIC_CLFLUSHOPT, ZYDIS_MNEMONIC_CLWB});
    Set(Undefined, {ZYDIS_MNEMONIC_UD0,     ZYDIS_MNEMONIC_UD1,       ZYDIS_MNEMONIC_UD2,
                    ZYDIS_MNEMONIC_MONITOR, ZYDIS_MNEMONIC_MWAIT,     ZYDIS_MNEMONIC_MONITORX,
                    ZYDIS_MNEMONIC_MWAITX,  ZYDIS_MNEMONIC_XSAVES,    ZYDIS_MNEMONIC_XSAVES64,
                    ZYDIS_MNEMONIC_XRSTORS, ZYDIS_MNEMONIC_XRSTORS64, ZYDIS_MNEMONIC_RSM,
                    ZYDIS_MNEMONIC_VMRUN,   ZYDIS_MNEMONIC_VMLOAD,    ZYDIS_MNEMONIC_VMSAVE,
                    ZYDIS_MNEMONIC_STGI,    ZYDIS_MNEMONIC_CLGI,      ZYDIS_MNEMONIC_SKINIT,
                    ZYDIS_MNEMONIC_INVLPGA, ZYDIS_MNEMONIC_INVLPGB,   ZYDIS_MNEMONIC_TLBSYNC,
                    ZYDIS_MNEMONIC_VMXON,   ZYDIS_MNEMONIC_VMXOFF,    ZYDIS_MNEMONIC_VMPTRLD,
                    ZYDIS_MNEMONIC_VMPTRST, ZYDIS_MNEMONIC_VMCLEAR,   ZYDIS_MNEMONIC_VMREAD,
                    ZYDIS_MNEMONIC_VMWRITE, ZYDIS_MNEMONIC_VMLAUNCH,  ZYDIS_MNEMONIC_VMRESUME,
                    ZYDIS_MNEMONIC_INVEPT,  ZYDIS_MNEMONIC_INVVPID,   ZYDIS_MNEMONIC_GETSEC,
                    ZYDIS_MNEMONIC_XBEGIN,  ZYDIS_MNEMONIC_XEND,      ZYDIS_MNEMONIC_XABORT,
                    ZYDIS_MNEMONIC_XTEST,   ZYDIS_MNEMONIC_RDPKRU,    ZYDIS_MNEMONIC_WRPKRU,
                    ZYDIS_MNEMONIC_ENCLS,   ZYDIS_MNEMONIC_ENCLU,     ZYDIS_MNEMONIC_ENCLV,
                    ZYDIS_MNEMONIC_RDPRU,   ZYDIS_MNEMONIC_PCONFIG});
    Set(Hypercall, {ZYDIS_MNEMONIC_VMCALL, ZYDIS_MNEMONIC_VMMCALL});
    Set(SoftwareInt,
        {ZYDIS_MNEMONIC_INT, ZYDIS_MNEMONIC_INT1, ZYDIS_MNEMONIC_INT3, ZYDIS_MNEMONIC_INTO});
    Set(Enter, {ZYDIS_MNEMONIC_ENTER});
    Set(Pusha, {ZYDIS_MNEMONIC_PUSHA, ZYDIS_MNEMONIC_PUSHAD});
    Set(Popa, {ZYDIS_MNEMONIC_POPA, ZYDIS_MNEMONIC_POPAD});
    Set(Xlat, {ZYDIS_MNEMONIC_XLAT});
    Set(Aaa, {ZYDIS_MNEMONIC_AAA});
    Set(Aas, {ZYDIS_MNEMONIC_AAS});
    Set(Daa, {ZYDIS_MNEMONIC_DAA});
    Set(Das, {ZYDIS_MNEMONIC_DAS});
    Set(Aam, {ZYDIS_MNEMONIC_AAM});
    Set(Aad, {ZYDIS_MNEMONIC_AAD});
    Set(Salc, {ZYDIS_MNEMONIC_SALC});
    Set(Bound, {ZYDIS_MNEMONIC_BOUND});
    Set(Arpl, {ZYDIS_MNEMONIC_ARPL});
    Set(Rdpmc, {ZYDIS_MNEMONIC_RDPMC});
  }
};

constinit const Table kTable;

bool HasOperand(const Instruction& insn, Operand::Kind kind) {
  for (int i = 0; i < insn.operand_count; ++i) {
    if (insn.operands[i].kind == kind) return true;
  }
  return false;
}

bool IsFarIndirect(const Instruction& insn) {
  // Far pointers in memory are 4, 6 or 10 bytes; near ones 2, 4 or 8 as the operand size says.
  return insn.operands[0].kind == Operand::Kind::kMemory &&
         insn.operands[0].bytes == insn.operand_bytes + 2;
}

}  // namespace

HandlerInfo FindHandler(const Instruction& insn) {
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
      if (HasOperand(insn, Operand::Kind::kControl)) return {MovControl};
      if (HasOperand(insn, Operand::Kind::kDebug)) return {MovDebug};
      if (HasOperand(insn, Operand::Kind::kSegment)) return {MovSegment};
      return {};
    case ZYDIS_MNEMONIC_PUSH:
      return HasOperand(insn, Operand::Kind::kSegment) ? HandlerInfo{PushSegment} : HandlerInfo{};
    case ZYDIS_MNEMONIC_POP:
      return HasOperand(insn, Operand::Kind::kSegment) ? HandlerInfo{PopSegment} : HandlerInfo{};
    case ZYDIS_MNEMONIC_JMP:
      return insn.operands[0].kind == Operand::Kind::kFar || IsFarIndirect(insn)
                 ? HandlerInfo{FarJump}
                 : HandlerInfo{};
    case ZYDIS_MNEMONIC_CALL:
      return insn.operands[0].kind == Operand::Kind::kFar || IsFarIndirect(insn)
                 ? HandlerInfo{FarCall}
                 : HandlerInfo{};
    case ZYDIS_MNEMONIC_RET:
      return insn.opcode == 0xca || insn.opcode == 0xcb ? HandlerInfo{FarReturn} : HandlerInfo{};
    case ZYDIS_MNEMONIC_MOVSD:
    case ZYDIS_MNEMONIC_CMPSD:
      // The string forms have opcodes A5 and A7, the SSE2 ones do not.
      if (insn.opcode != 0xa5 && insn.opcode != 0xa7) return {};
      break;
    case ZYDIS_MNEMONIC_VZEROUPPER:
    case ZYDIS_MNEMONIC_VZEROALL:
      return insn.mode == CodeMode::k64 ? HandlerInfo{} : HandlerInfo{ClearVectors, true};
    case ZYDIS_MNEMONIC_LEAVE:
      return insn.mode == CodeMode::k64 && insn.operand_bytes == 8 ? HandlerInfo{}
                                                                   : HandlerInfo{Leave};
    default: break;
  }
  return kTable.info[insn.mnemonic];
}

}  // namespace hv::soft
