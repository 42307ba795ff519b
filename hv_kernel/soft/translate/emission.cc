#include "hv_kernel/soft/translate/emission.h"

#include "hv_kernel/soft/system/operand_access.h"

namespace hv::soft {

namespace x86 = asmjit::x86;

Emission::Emission(const Trampolines& trampolines, LeaveSites& sites, uint64_t base, Mode mode,
                   uint64_t block_rip, uint32_t page_offset)
    : trampolines_(trampolines),
      sites_(sites),
      mode_(mode),
      block_rip_(block_rip),
      page_offset_(page_offset) {
  code_.init(asmjit::Environment::host(), base);
  code_.attach(&assembler_);
}

void Emission::Begin(const RunInstruction& instruction, const Context& context) {
  decoded_ = &instruction.decoded;
  rip_ = WrapRip(block_rip_ + instruction.offset);
  onward_ = instruction.onward;
  flags_live_ = context.flags_live;
  followed_ = context.followed;
  shared_ = context.shared;
  reach_ = 0;
}

LeaveSite& Emission::NewSite(LeaveKind kind) { return sites_.Add(kind, rip_); }

LeaveSite& Emission::NewHandlerSite(const HandlerInfo& handler) {
  LeaveSite& site = NewSite(LeaveKind::kHandler);
  site.handler = handler;
  sites_.GiveInstruction(site, insn());
  return site;
}

void Emission::Leave(LeaveSite& site) {
  LoadImmediate(kTemp1, reinterpret_cast<uint64_t>(&site));
  assembler_.jmp(trampolines_.leave);
}

void Emission::EmitLater() {
  // Later code may itself put off more.
  for (size_t i = 0; i < later_.size(); ++i) {
    const auto code = std::move(later_[i]);
    code();
  }
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
