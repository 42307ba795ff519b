// REP STOS and REP MOVS that stay in one page, as most do (clearing and copying of pages,
// structures, buffers): by the host's own, which has no operand but RCX, RSI and RDI.
#include <Zydis/Zydis.h>

#include "hv_kernel/soft/translate/families.h"

namespace hv::soft {
namespace {

namespace x86 = asmjit::x86;

// Of Cpu::scratch.
enum Kept : int { kCount, kDfMask, kTarget, kTargetRegister, kSourceRegister };

bool IsStos(const Instruction& insn) {
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_STOSB:
    case ZYDIS_MNEMONIC_STOSW:
    case ZYDIS_MNEMONIC_STOSD:
    case ZYDIS_MNEMONIC_STOSQ: return true;
    default: return false;
  }
}

bool IsMovs(const Instruction& insn) {
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_MOVSB:
    case ZYDIS_MNEMONIC_MOVSW:
    case ZYDIS_MNEMONIC_MOVSQ: return true;
    case ZYDIS_MNEMONIC_MOVSD: return insn.opcode == 0xa5;  // SSE2 has one too
    default: return false;
  }
}

bool HasOwnBase(const Instruction& insn) {
  for (int i = 0; i < insn.operand_count; ++i) {
    const Operand& operand = insn.operands[i];
    const bool of_fs_or_gs = operand.segment == HV_FS || operand.segment == HV_GS;
    if (operand.kind == Operand::Kind::kMemory && of_fs_or_gs) return true;
  }
  return false;
}

// What follows touches no flag: any of them may be live.
class StringEmission {
 public:
  explicit StringEmission(Emission& e)
      : e_(e),
        a_(e.a()),
        bytes_((e.insn().opcode & 1) == 0 ? 1 : e.insn().operand_bytes),
        log2_bytes_(static_cast<uint32_t>(__builtin_ctz(bytes_))),
        by_handler_(a_.newLabel()),
        with_count_(a_.newLabel()) {}

  void Run() {
    LeaveSite& site = e_.NewHandlerSite();
    const bool copies = IsMovs(e_.insn());
    a_.mov(CpuScratch(kCount), x86::rcx);
    CheckCountAndDirection();
    CheckPage(x86::rdi);
    if (copies) CheckPage(x86::rsi);
    a_.mov(kTemp0, x86::rdi);
    e_.EmitFastProbe(1, MemoryUse::kWrite, with_count_);
    if (copies) {
      a_.mov(CpuScratch(kTarget), kTemp0);
      a_.mov(kTemp0, x86::rsi);
      e_.EmitFastProbe(1, MemoryUse::kRead, with_count_);
      a_.mov(CpuScratch(kSourceRegister), x86::rsi);
      a_.mov(x86::rsi, kTemp0);
      a_.mov(kTemp0, CpuScratch(kTarget));
    }
    a_.mov(CpuScratch(kTargetRegister), x86::rdi);
    a_.mov(x86::rdi, kTemp0);
    a_.embed(e_.bytes().data(), e_.bytes().size());
    a_.mov(kTemp0, CpuScratch(kCount));
    Advance(x86::rdi, kTargetRegister);
    if (copies) Advance(x86::rsi, kSourceRegister);
    a_.mov(x86::ecx, 0);
    e_.Later([&e = e_, &site, by_handler = by_handler_, with_count = with_count_] {
      e.a().bind(by_handler);
      e.a().mov(x86::rcx, CpuScratch(kCount));
      e.a().bind(with_count);
      e.Leave(site);
    });
  }

 private:
  // A count of a page's bytes at most, so that nothing below wraps; DF clear.
  void CheckCountAndDirection() {
    a_.mov(CpuScratch(kDfMask), static_cast<int32_t>(kFlagDf));
    a_.mov(kTemp1, CpuField(offsetof(Cpu, rflags)));
    a_.pext(kTemp1, kTemp1, CpuScratch(kDfMask));
    a_.pext(kTemp0, x86::rcx, CpuField(offsetof(Cpu, page_mask)));
    a_.lea(x86::rcx, x86::ptr(kTemp0, kTemp1));
    GoOnIfRcxIsZero();
  }

  // The last byte in the page of the first. A count of zero may go either way.
  void CheckPage(const x86::Gp& address) {
    a_.lea(kTemp0, x86::ptr(address, x86::rcx, log2_bytes_, -1));
    a_.pext(kTemp0, kTemp0, CpuField(offsetof(Cpu, page_mask)));
    a_.pext(kTemp1, address, CpuField(offsetof(Cpu, page_mask)));
    a_.not_(kTemp1);
    a_.lea(x86::rcx, x86::ptr(kTemp0, kTemp1, 0, 1));
    GoOnIfRcxIsZero();
  }

  void GoOnIfRcxIsZero() {
    const asmjit::Label go_on = a_.newLabel();
    a_.short_().jecxz(x86::rcx, go_on);
    a_.jmp(by_handler_);
    a_.bind(go_on);
    a_.mov(x86::rcx, CpuScratch(kCount));
  }

  // By the count in kTemp0.
  void Advance(const x86::Gp& reg, Kept before) {
    a_.mov(kTemp1, CpuScratch(before));
    a_.lea(reg, x86::ptr(kTemp1, kTemp0, log2_bytes_));
  }

  Emission& e_;
  x86::Assembler& a_;
  const uint32_t bytes_;
  const uint32_t log2_bytes_;
  const asmjit::Label by_handler_;
  const asmjit::Label with_count_;  // RCX has it again
};

}  // namespace

bool IsStringInOnePage(const Instruction& insn, Mode mode) {
  return mode.code() == CodeMode::k64 && insn.address_bytes == 8 && insn.rep &&
         (IsStos(insn) || IsMovs(insn)) && !HasOwnBase(insn);
}

Emitted EmitString(Emission& e) {
  if (e.mode().single() || !IsStringInOnePage(e.insn(), e.mode())) return Emitted::kNot;
  StringEmission(e).Run();
  return Emitted::kGoesOn;
}

}  // namespace hv::soft
