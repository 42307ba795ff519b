// Guest addresses in generated code: computing them, and probing the TLB.
#include "hv_kernel/soft/system/device_moves.h"
#include "hv_kernel/soft/translate/emission.h"

namespace hv::soft {
namespace {

namespace x86 = asmjit::x86;

size_t TlbAt(TlbIndex index) {
  return offsetof(Cpu, tlb) + static_cast<size_t>(index) * sizeof(Tlb);
}
size_t TagsAt(TlbIndex index, MemoryUse use) {
  return TlbAt(index) +
         (use == MemoryUse::kRead ? offsetof(Tlb, read_tag) : offsetof(Tlb, write_tag));
}

// gs:[offset + index * 2^shift]: of a TLB's array.
x86::Mem InTlb(size_t offset, const x86::Gp& index, uint32_t shift) {
  auto mem = x86::ptr_abs(offset, index, shift, 8);
  mem.setSegment(x86::gs);
  return mem;
}

size_t Writes(MemoryUse use) { return use == MemoryUse::kRead ? 0 : 1; }

uint32_t Log2(uint8_t scale) {
  return static_cast<uint32_t>(__builtin_ctz(scale == 0 ? 1 : scale));
}

}  // namespace

void Emission::EmitAddress(const Operand& operand) {
  EmitOffset(operand, kTemp0);
  EmitSegmentBase(operand.segment);
}

void Emission::EmitOffset(const Operand& operand, const x86::Gp& to) {
  x86::Assembler& a = assembler_;
  const bool wide = insn().address_bytes == 8;
  const int64_t displacement = operand.value;
  if (operand.base == kRipRegister) {
    const uint64_t target = rip_ + insn().length + static_cast<uint64_t>(displacement);
    LoadImmediate(to, wide ? target : target & 0xffffffffu);
  } else if (operand.base == kNoRegister && operand.index == kNoRegister) {
    const auto target = static_cast<uint64_t>(displacement);
    LoadImmediate(to, wide ? target : target & 0xffffffffu);
  } else {
    // Displacements are at most 32 bits wide when there is a register.
    const auto disp = static_cast<int32_t>(displacement);
    x86::Mem mem;
    if (operand.index == kNoRegister) {
      mem = x86::ptr(Use(operand.base, kTemp0), disp);
    } else {
      const x86::Gp index = Use(operand.index, kTemp1);
      if (operand.base == kNoRegister) {
        mem = x86::ptr_abs(static_cast<uint64_t>(int64_t{disp}), index, Log2(operand.scale));
      } else {
        mem = x86::ptr(Use(operand.base, kTemp0), index, Log2(operand.scale), disp);
      }
    }
    // A 32-bit destination wraps the sum as a 32-bit address would.
    a.lea(wide ? to : to.r32(), mem);
    if (insn().address_bytes == 2) a.movzx(to.r32(), to.r16());
  }
}

void Emission::EmitSegmentBase(uint8_t segment) {
  const bool own_base = segment == HV_FS || segment == HV_GS;
  if (!own_base && (mode_.code() == CodeMode::k64 || mode_.flat())) return;
  assembler_.mov(kTemp1, CpuSegment(segment, offsetof(hv_segment_state, base), 8));
  const x86::Gp to = mode_.code() == CodeMode::k64 ? kTemp0 : kTemp0.r32();
  assembler_.lea(to, x86::ptr(kTemp0, kTemp1));
}

void Emission::EmitRights(uint8_t segment, MemoryUse use) {
  const bool protects_code = mode_.code() != CodeMode::k64 && !mode_.real();
  if (segment != HV_CS || use == MemoryUse::kRead || !protects_code) return;
  LeaveSite& site = NewSite(LeaveKind::kException);
  site.vector = static_cast<uint8_t>(Vector::kGeneralProtection);
  Leave(site);
}

void Emission::EmitStackAddress(int64_t displacement) {
  const x86::Gp to = mode_.code() == CodeMode::k64 ? kTemp0 : kTemp0.r32();
  assembler_.lea(to, x86::ptr(kGuestRsp, static_cast<int32_t>(displacement)));
  if (mode_.narrow_stack()) assembler_.movzx(kTemp0.r32(), kTemp0.r16());
  EmitSegmentBase(HV_SS);
}

void Emission::EmitStackMove(int32_t by) {
  if (mode_.narrow_stack()) {
    assembler_.lea(kTemp1.r32(), x86::ptr(kGuestRsp, by));
    assembler_.mov(kGuestRsp.r16(), kTemp1.r16());
    return;
  }
  const bool wide = mode_.code() == CodeMode::k64;
  assembler_.lea(wide ? kGuestRsp : kGuestRsp.r32(), x86::ptr(kGuestRsp, by));
}

void Emission::EmitProbe(uint32_t bytes, MemoryUse use, bool stack, uint64_t retry) {
  LeaveSite& site = NewSite(mode_.slow() ? LeaveKind::kSlowProbe : LeaveKind::kMemory);
  site.use = use;
  site.bytes = bytes;
  site.stack = stack;
  site.miss_ends = shared_.miss_ends || set_aside_ != 0;
  if (mode_.slow()) {
    Leave(site);
    site.resume = here();
    return;
  }
  site.resume = retry;
  site.move = DeviceMoveOf(insn());
  site.length = insn().length;
  const asmjit::Label slow = assembler_.newLabel();
  EmitFastProbe(bytes, use, slow);
  site.found = static_cast<int32_t>(here() - retry);
  Later([this, &site, slow, use, added = !flags_live_] {
    assembler_.bind(slow);
    if (added) assembler_.sub(kTemp0, InTlb(TagsAt(mode_.tlb(), use), kTemp1, 0));
    Leave(site);
  });
}

// To `slow` with the linear address in kTemp0, the tag in question added where flags were free.
void Emission::EmitFastProbe(uint32_t bytes, MemoryUse use, const asmjit::Label& slow) {
  if (flags_live_) {
    EmitProbeKeepingFlags(bytes, use, slow);
  } else {
    EmitProbeOverwritingFlags(bytes, use, slow);
  }
}

// The slot of the linear address in kTemp0, as an offset into one of a TLB's arrays, into kTemp1.
void Emission::EmitSlot() {
  constexpr uint32_t kSlotBit = 12, kScaleBit = 3;
  assembler_.rorx(kTemp1.r32(), kTemp0.r32(), kSlotBit - kScaleBit);
  assembler_.and_(kTemp1.r32(), static_cast<int32_t>((kTlbEntries - 1) << kScaleBit));
}

void Emission::EmitProbeOverwritingFlags(uint32_t bytes, MemoryUse use, const asmjit::Label& slow) {
  x86::Assembler& a = assembler_;
  const auto farthest = static_cast<int32_t>(kPageBytes - bytes);
  EmitFrame(
      memory_.frames.probe_overwriting_flags[static_cast<size_t>(mode_.tlb())][Writes(use)],
      farthest,
      [&] {
        EmitSlot();
        // The offset into the page, if it is the slot's.
        a.add(kTemp0, InTlb(TagsAt(mode_.tlb(), use), kTemp1, 0));
        a.cmp(kTemp0, farthest);
        return a.offset();
      },
      [&] { a.ja(slow); },
      [&] { a.add(kTemp0, InTlb(TlbAt(mode_.tlb()) + offsetof(Tlb, host_page), kTemp1, 0)); });
}

// As EmitProbeOverwritingFlags, but into the page's registers: the linear address stays in kTemp0.
void Emission::EmitProbeToHold(const HeldAccess& held, const asmjit::Label& fails) {
  x86::Assembler& a = assembler_;
  const auto farthest = static_cast<int32_t>(kPageBytes - held.bytes);
  const x86::Mem tag = InTlb(TagsAt(mode_.tlb(), held.page.use), kTemp1, 0);
  const x86::Gp addend = HostRegister(held.page.addend);
  EmitSlot();
  a.mov(addend, tag);
  if (held.page.tag != kNoRegister) a.mov(HostRegister(held.page.tag), addend);
  a.add(addend, kTemp0);
  a.cmp(addend, farthest);
  a.ja(fails);
  a.mov(addend, InTlb(TlbAt(mode_.tlb()) + offsetof(Tlb, addend), kTemp1, 0));
}

// LEA, PEXT and JRCXZ touch no flag.
void Emission::EmitProbeKeepingFlags(uint32_t bytes, MemoryUse use, const asmjit::Label& slow) {
  x86::Assembler& a = assembler_;
  asmjit::Label hit;
  // Wider than a byte in the code, as it has to be for the number that comes in its place.
  constexpr int32_t kPlaceholder = 0x7fffffff;
  const auto last = static_cast<int32_t>(bytes) - 1;
  Frame& frame = memory_.frames.probe_keeping_flags[static_cast<size_t>(mode_.tlb())][Writes(use)];
  EmitFrame(
      frame, last,
      [&] {
        hit = a.newLabel();
        a.pext(kTemp1, kTemp0, CpuField(offsetof(Cpu, tlb_slot_mask)));
        a.mov(CpuField(offsetof(Cpu, saved_rcx)), x86::rcx);
        a.mov(x86::rcx, InTlb(TagsAt(mode_.tlb(), use), kTemp1, 3));
        a.lea(x86::rcx, x86::ptr(x86::rcx, kTemp0, 0, kPlaceholder));
        const size_t number_end = a.offset();
        a.pext(x86::rcx, x86::rcx, CpuField(offsetof(Cpu, page_mask)));
        a.short_().jecxz(x86::rcx, hit);
        a.mov(x86::rcx, CpuField(offsetof(Cpu, saved_rcx)));
        return number_end;
      },
      [&] { a.jmp(slow); },
      [&] {
        a.bind(hit);
        a.mov(x86::rcx, CpuField(offsetof(Cpu, saved_rcx)));
        a.mov(kTemp1, InTlb(TlbAt(mode_.tlb()) + offsetof(Tlb, addend), kTemp1, 3));
        a.lea(kTemp0, x86::ptr(kTemp0, kTemp1));
      });
}

// What is there already for the access in hand, or false.
bool Emission::UseSharedProbe(SharedProbe::Part part) {
  if (shared_.part != part || !shared_open_[shared_.slot]) return false;
  assembler_.mov(kTemp0, CpuShared(shared_.slot));
  accessed_ = x86::ptr(kTemp0, shared_.reach);
  return true;
}

// From the linear address of the lowest byte in kTemp0.
void Emission::OpenSharedProbe() {
  x86::Assembler& a = assembler_;
  LeaveSite& site = NewLinkSite(rip_, LinkTo::kUnshared);
  const asmjit::Label fails = a.newLabel();
  EmitFastProbe(shared_.bytes, shared_.use, fails);
  a.mov(CpuShared(shared_.slot), kTemp0);
  LinkLater(fails, site);
  shared_open_[shared_.slot] = true;
  accessed_ = x86::ptr(kTemp0, shared_.reach);
}

void Emission::EmitOperandAccess(const Operand& operand, uint32_t bytes, MemoryUse use) {
  accessed_ = x86::ptr(kTemp0);
  if (UsesHeldPage(SharedProbe::Part::kOperand)) return EmitHeldAccess(operand);
  if (UseSharedProbe(SharedProbe::Part::kOperand)) return;
  if (shared_.part == SharedProbe::Part::kOperand && shared_.opens) {
    EmitAddress(operand);
    if (shared_.reach != 0) assembler_.lea(kTemp0, x86::ptr(kTemp0, -shared_.reach));
    return OpenSharedProbe();
  }
  const uint64_t retry = here();
  EmitRights(operand.segment, use);
  EmitAddress(operand);
  EmitProbe(bytes, use, operand.segment == HV_SS, retry);
}

void Emission::EmitStackAccess(int64_t displacement, uint32_t bytes, MemoryUse use) {
  accessed_ = x86::ptr(kTemp0);
  if (UsesHeldPage(SharedProbe::Part::kStack)) {
    return EmitHeldAccess(
        {.kind = Operand::Kind::kMemory, .segment = HV_SS, .base = HV_RSP, .value = displacement});
  }
  if (UseSharedProbe(SharedProbe::Part::kStack)) return;
  if (shared_.part == SharedProbe::Part::kStack && shared_.opens) {
    EmitStackAddress(displacement - shared_.reach);
    return OpenSharedProbe();
  }
  const uint64_t retry = here();
  EmitStackAddress(displacement);
  EmitProbe(bytes, use, true, retry);
}

}  // namespace hv::soft
