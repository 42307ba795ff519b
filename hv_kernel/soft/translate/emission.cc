#include "hv_kernel/soft/translate/emission.h"

#include "hv_kernel/soft/memory/tlb.h"
#include "hv_kernel/soft/system/operand_access.h"

namespace hv::soft {

namespace x86 = asmjit::x86;

Emission::Emission(EmissionMemory& memory, const Trampolines& trampolines,
                   TranslationRecords& records, const Block& block)
    : memory_(memory),
      trampolines_(trampolines),
      records_(records),
      mode_(block.mode),
      block_rip_(block.rip),
      page_offset_(static_cast<uint32_t>(block.physical & kPageOffsetMask)),
      assembler_(memory.assembler) {
  memory_.code.reset();
  memory_.later.clear();
}

void Emission::EmitInto(std::span<uint8_t> room, uint64_t base) {
  base_ = base;
  memory_.code.init(asmjit::Environment::host(), base);
  asmjit::CodeBuffer& buffer = memory_.code.textSection()->buffer();
  buffer._data = room.data();
  buffer._capacity = room.size();
  buffer._flags = asmjit::CodeBufferFlags::kIsExternal | asmjit::CodeBufferFlags::kIsFixed;
  memory_.code.attach(&assembler_);
}

void Emission::Begin(const RunInstruction& instruction, const Context& context) {
  decoded_ = &instruction.decoded;
  handler_ = instruction.handler;
  rip_ = WrapRip(block_rip_ + instruction.offset);
  onward_ = instruction.onward;
  flags_live_ = context.flags_live;
  followed_ = context.followed;
  shared_ = context.shared;
  held_ = context.held;
  accessed_ = x86::ptr(kTemp0);
}

LeaveSite& Emission::NewSite(LeaveKind kind) {
  return records_.sites.Add({.kind = kind, .rip = rip_});
}

LeaveSite& Emission::NewHandlerSite() {
  LeaveSite& site = NewSite(LeaveKind::kHandler);
  site.handled = &records_.handled.Add({.insn = insn(), .handler = handler_});
  return site;
}

LeaveSite& Emission::NewLinkSite(uint64_t rip, LinkTo to) {
  LeaveSite& site = NewSite(LeaveKind::kLink);
  site.rip = rip;
  site.link_to = to;
  site.link = &records_.links.Add({});
  return site;
}

// As many bytes each time (fragments.h); by hand, as there are several to each block and the
// assembler would note the jump, to relocate it.
void Emission::Leave(LeaveSite& site) {
  struct [[gnu::packed]] Load {
    uint8_t mov_r11[2] = {0x49, 0xbb};
    uint64_t site;
  };
  struct [[gnu::packed]] Jump {
    uint8_t jmp = 0xe9;
    int32_t distance;
  };
  const Load load{.site = reinterpret_cast<uint64_t>(&site)};
  assembler_.embed(&load, sizeof(load));
  if (set_aside_ != 0) {
    assembler_.long_().jmp(put_back_and_leave_);
    return;
  }
  const uint64_t end = here() + sizeof(Jump);
  const Jump jump{.distance = static_cast<int32_t>(trampolines_.leave - end)};
  assembler_.embed(&jump, sizeof(jump));
}

void Emission::EmitLater() {
  // Later code may itself put off more.
  for (size_t i = 0; i < memory_.later.size(); ++i) {
    const LaterCode code = memory_.later[i];
    code();
  }
  if (set_aside_ == 0) return;
  assembler_.bind(put_back_and_leave_);
  PutBack();
  assembler_.jmp(trampolines_.leave);
}

x86::Gp Emission::Use(uint8_t guest, const x86::Gp& temp) {
  if (!InMemory(guest)) return HostRegister(guest);
  assembler_.mov(temp, CpuGpr(guest));
  return temp;
}

void Emission::Store(uint8_t guest, const x86::Gp& from) {
  if (InMemory(guest)) {
    assembler_.mov(CpuGpr(guest), from);
  } else if (HostRegister(guest) != from) {
    assembler_.mov(HostRegister(guest), from);
  }
}

void Emission::LoadImmediate(const x86::Gp& to, uint64_t value) {
  if (value <= 0xffffffffu) {
    assembler_.mov(to.r32(), static_cast<uint32_t>(value));
  } else {
    assembler_.mov(to, static_cast<int64_t>(value));
  }
}

}  // namespace hv::soft
