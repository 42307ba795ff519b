// Where generated code goes next: linked direct jumps, the jump cache, the attention word.
#include "hv_kernel/soft/translate/emission.h"

namespace hv::soft {
namespace {

namespace x86 = asmjit::x86;

x86::Mem Indexed(size_t offset, const x86::Gp& index, uint32_t shift) {
  auto mem = x86::ptr_abs(offset, index, shift, 8);
  mem.setSegment(x86::gs);
  return mem;
}

constexpr size_t kNoNumber = 0;

}  // namespace

void Emission::JumpTo(uint64_t rip) {
  if (CanLink(rip)) return EmitLink(x86::Inst::kIdJmp, rip);
  PutBack();
  LoadImmediate(kTemp0, rip);
  JumpToTemp0();
}

void Emission::JumpToIf(x86::Inst::Id jump, uint64_t rip) {
  if (CanLink(rip)) return EmitLink(jump, rip);
  const asmjit::Label taken = assembler_.newLabel();
  assembler_.emit(jump, taken);
  Later([this, taken, rip] {
    assembler_.bind(taken);
    PutBack();
    LoadImmediate(kTemp0, rip);
    JumpToTemp0();
  });
}

// Within a page a linear address keeps its meaning as long as the page does, so a jump inside it
// may be linked for good.
bool Emission::CanLink(uint64_t rip) const {
  return !mode_.single() && page_offset_ + (rip - block_rip_) < kPageBytes;
}

// Until it is linked it leads to a stub that asks for it.
void Emission::EmitLink(x86::Inst::Id jump, uint64_t rip) {
  x86::Assembler& a = assembler_;
  if (set_aside_ != 0 && rip == block_rip_) {
    a.emit(jump, turns_);
    return;
  }
  const bool loops = rip <= rip_ && mode_.code() == CodeMode::k64;
  LeaveSite& site = NewLinkSite(rip, loops ? LinkTo::kLoop : LinkTo::kPlain);
  const asmjit::Label stub = a.newLabel();
  a.long_().emit(jump, stub);
  if (set_aside_ != 0) return LinkLater(stub, site);
  LinkedHere(site);
  Later([this, &site, stub] {
    assembler_.bind(stub);
    Leave(site);
  });
}

void Emission::LinkLater(const asmjit::Label& from, LeaveSite& site) {
  Later([this, &site, from] {
    const asmjit::Label stub = assembler_.newLabel();
    assembler_.bind(from);
    PutBack();
    assembler_.long_().jmp(stub);
    LinkedHere(site);
    assembler_.bind(stub);
    Leave(site);
  });
}

void Emission::JumpToTemp0(TlbIndex index) {
  x86::Assembler& a = assembler_;
  if (mode_.single()) {
    Leave(NewSite(LeaveKind::kDone));
    return;
  }
  const size_t cache = offsetof(Cpu, jump_cache) + static_cast<size_t>(index) * sizeof(JumpCache) +
                       offsetof(JumpCache, entry);
  static_assert(sizeof(JumpCacheEntry) == 16);
  asmjit::Label hit;
  EmitFrame(
      memory_.frames.jump[static_cast<size_t>(index)], 0,
      [&] {
        hit = a.newLabel();
        a.pext(kTemp1, kTemp0, CpuField(offsetof(Cpu, jump_slot_mask)));
        a.lea(kTemp1, x86::ptr(kTemp1, kTemp1));
        a.mov(CpuField(offsetof(Cpu, saved_rcx)), x86::rcx);
        a.mov(x86::rcx, Indexed(cache + offsetof(JumpCacheEntry, tag), kTemp1, 3));
        a.lea(x86::rcx, x86::ptr(x86::rcx, kTemp0));
        a.short_().jecxz(x86::rcx, hit);
        a.mov(x86::rcx, CpuField(offsetof(Cpu, saved_rcx)));
        return kNoNumber;
      },
      [&] { Leave(NewSite(LeaveKind::kLookup)); },
      [&] {
        a.bind(hit);
        a.mov(x86::rcx, CpuField(offsetof(Cpu, saved_rcx)));
        a.jmp(Indexed(cache + offsetof(JumpCacheEntry, code), kTemp1, 3));
      });
}

void Emission::EmitAttentionCheck(uint64_t rip, bool flags_live) {
  x86::Assembler& a = assembler_;
  LeaveSite& site = NewSite(LeaveKind::kAttention);
  site.rip = rip;
  Frame& frame = memory_.frames.attention[flags_live ? 1 : 0];
  const auto look_at = [&] { a.mov(kTemp1, CpuField(offsetof(Cpu, attention))); };
  if (flags_live) {
    asmjit::Label go_on;
    return EmitFrame(
        frame, 0,
        [&] {
          go_on = a.newLabel();
          look_at();
          a.mov(CpuField(offsetof(Cpu, saved_rcx)), x86::rcx);
          a.mov(x86::ecx, x86::dword_ptr(kTemp1));
          a.short_().jecxz(x86::rcx, go_on);
          a.mov(x86::rcx, CpuField(offsetof(Cpu, saved_rcx)));
          return kNoNumber;
        },
        [&] { Leave(site); },
        [&] {
          a.bind(go_on);
          a.mov(x86::rcx, CpuField(offsetof(Cpu, saved_rcx)));
        });
  }
  const asmjit::Label leave = a.newLabel();
  EmitFrame(
      frame, 0,
      [&] {
        look_at();
        a.cmp(x86::dword_ptr(kTemp1), 0);
        return kNoNumber;
      },
      [&] { a.jne(leave); }, [] {});
  Later([this, &site, leave] {
    assembler_.bind(leave);
    Leave(site);
  });
}

}  // namespace hv::soft
