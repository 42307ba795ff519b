// What all parts of the translator share while one block is being emitted.
#pragma once

#include <asmjit/x86.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "hv_kernel/soft/decoder.h"
#include "hv_kernel/soft/translate/host_registers.h"
#include "hv_kernel/soft/translate/leave_site.h"
#include "hv_kernel/soft/translate/mode.h"
#include "hv_kernel/soft/translate/run.h"
#include "hv_kernel/soft/translate/shared_probes.h"
#include "hv_kernel/soft/translate/trampolines.h"

namespace hv::soft {

class Emission {
 public:
  // `page_offset` is where in its page the block begins.
  Emission(const Trampolines& trampolines, LeaveSites& sites, uint64_t base, Mode mode,
           uint64_t block_rip, uint32_t page_offset);

  asmjit::x86::Assembler& a() { return assembler_; }
  Mode mode() const { return mode_; }

  // --- The instruction in hand.
  // What is known of it before it is emitted.
  struct Context {
    bool flags_live;
    bool followed;  // by another one in the block
    SharedProbe shared;
  };
  void Begin(const RunInstruction& instruction, const Context& context);
  const Decoded& decoded() const { return *decoded_; }
  const Instruction& insn() const { return decoded_->compact; }
  std::span<const uint8_t> bytes() const { return {decoded_->bytes, insn().length}; }
  uint64_t rip() const { return rip_; }
  uint64_t next_rip() const { return WrapRip(rip_ + insn().length); }
  uint64_t WrapRip(uint64_t rip) const {  // to the mode's width
    return mode_.code() == CodeMode::k64 ? rip : rip & 0xffffffffu;
  }
  Onward onward() const { return onward_; }
  bool flags_live() const { return flags_live_; }
  bool followed() const { return followed_; }

  // --- Leaving (emission.cc).
  LeaveSite& NewSite(LeaveKind kind);
  // Of the instruction in hand.
  LeaveSite& NewHandlerSite(const HandlerInfo& handler);
  void Leave(LeaveSite& site);
  // Emits `code` after the end of the block, for what is rarely executed.
  void Later(std::function<void()> code) { later_.push_back(std::move(code)); }
  void EmitLater();
  // The resume address of a site is known once the block is placed.
  void ResumeAt(LeaveSite& site, const asmjit::Label& label) { resumes_.push_back({&site, label}); }
  void FoundAt(LeaveSite& site, const asmjit::Label& label) { founds_.push_back({&site, label}); }
  void PatchAt(LeaveSite& site, const asmjit::Label& label) { patches_.push_back({&site, label}); }

  // --- Guest registers (emission.cc).
  // A host register holding the guest's, loading it into `temp` when it lives in memory.
  asmjit::x86::Gp Use(uint8_t guest, const asmjit::x86::Gp& temp);
  void Store(uint8_t guest, const asmjit::x86::Gp& from);
  void LoadImmediate(const asmjit::x86::Gp& to, uint64_t value);

  // --- Memory (memory_access.cc).
  // Linear address of a memory operand into kTemp0. Keeps flags; uses kTemp1.
  void EmitAddress(const Operand& operand);
  // Its two halves: the offset in the segment, wrapped to the address size, and adding the base.
  void EmitOffset(const Operand& operand);
  void EmitSegmentBase(uint8_t segment);
  // #GP(0) for a write to the code segment. Of the rights of segments this is the one that an
  // override alone can break; the others are not checked.
  void EmitRights(uint8_t segment, MemoryUse use);
  // As EmitAddress() for the stack pointer at a displacement, wrapped to the stack's width.
  void EmitStackAddress(int64_t displacement);
  // Adds to the stack pointer. Keeps flags; uses kTemp1.
  void EmitStackMove(int32_t by);
  // From the linear address in kTemp0 to a host address in kTemp0, or away. Everything from `retry`
  // on is executed again after a TLB miss. Keeps flags when they are live; uses kTemp1.
  void EmitProbe(uint32_t bytes, MemoryUse use, bool stack, const asmjit::Label& retry);
  // EmitAddress and EmitProbe, or what another access has found. The bytes are at `reach()` from
  // kTemp0 then.
  void EmitOperandAccess(const Operand& operand, uint32_t bytes, MemoryUse use);
  void EmitStackAccess(int64_t displacement, uint32_t bytes, MemoryUse use);
  int32_t reach() const { return reach_; }

  // --- Going on (control_flow.cc).
  void JumpTo(uint64_t rip);                                // a constant offset in CS
  void JumpToIf(asmjit::x86::Inst::Id jump, uint64_t rip);  // Jcc
  void JumpToTemp0() { JumpToTemp0(mode_.tlb()); }          // to the offset in kTemp0
  void JumpToTemp0(TlbIndex index);                         // through that jump cache
  void EmitAttentionCheck(uint64_t rip, bool flags_live);

  asmjit::CodeHolder& code() { return code_; }
  struct Fixup {
    LeaveSite* site;
    asmjit::Label label;
  };
  const std::vector<Fixup>& resumes() const { return resumes_; }
  const std::vector<Fixup>& founds() const { return founds_; }
  const std::vector<Fixup>& patches() const { return patches_; }
  bool failed() const { return failed_; }
  void Fail() { failed_ = true; }

 private:
  bool UseSharedProbe(SharedProbe::Part part);
  void OpenSharedProbe();
  void EmitFastProbe(uint32_t bytes, MemoryUse use, const asmjit::Label& slow);
  void EmitProbeOverwritingFlags(uint32_t bytes, MemoryUse use, const asmjit::Label& slow);
  void EmitProbeKeepingFlags(uint32_t bytes, MemoryUse use, const asmjit::Label& slow);

  bool CanLink(uint64_t rip) const;
  void EmitLink(asmjit::x86::Inst::Id jump, uint64_t rip);

  const Trampolines& trampolines_;
  LeaveSites& sites_;
  const Mode mode_;
  const uint64_t block_rip_;
  const uint32_t page_offset_;
  asmjit::CodeHolder code_;
  asmjit::x86::Assembler assembler_;
  const Decoded* decoded_ = nullptr;
  uint64_t rip_ = 0;
  bool flags_live_ = true;
  bool followed_ = false;
  Onward onward_ = Onward::kOut;
  SharedProbe shared_;
  bool shared_open_[kSharedProbes] = {};
  int32_t reach_ = 0;
  bool failed_ = false;
  std::vector<std::function<void()>> later_;
  std::vector<Fixup> resumes_;
  std::vector<Fixup> founds_;
  std::vector<Fixup> patches_;
};

}  // namespace hv::soft
