// What all parts of the translator share while one block is being emitted.
#pragma once

#include <asmjit/x86.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>
#include <vector>

#include "hv_kernel/soft/decoder.h"
#include "hv_kernel/soft/translate/fragments.h"
#include "hv_kernel/soft/translate/held_pages.h"
#include "hv_kernel/soft/translate/host_registers.h"
#include "hv_kernel/soft/translate/leave_site.h"
#include "hv_kernel/soft/translate/mode.h"
#include "hv_kernel/soft/translate/run.h"
#include "hv_kernel/soft/translate/shared_probes.h"
#include "hv_kernel/soft/translate/trampolines.h"
#include "hv_kernel/soft/translate/translation_records.h"

namespace hv::soft {

// Code to be emitted later, kept without an allocation of its own.
class LaterCode {
 public:
  template <typename Code>
  explicit LaterCode(const Code& code)
      : run_([](const std::byte* from) { As<Code>(from)(); }),
        copy_([](const std::byte* from, std::byte* to) { new (to) Code(As<Code>(from)); }) {
    static_assert(std::is_trivially_destructible_v<Code> && sizeof(Code) <= sizeof(captured_) &&
                  alignof(Code) <= alignof(void*));
    new (captured_) Code(code);
  }
  LaterCode(const LaterCode& other) : run_(other.run_), copy_(other.copy_) {
    copy_(other.captured_, captured_);
  }
  LaterCode& operator=(const LaterCode&) = delete;
  void operator()() const { run_(captured_); }

 private:
  template <typename Code>
  static const Code& As(const std::byte* captured) {
    return *std::launder(reinterpret_cast<const Code*>(captured));
  }

  void (*run_)(const std::byte*);
  void (*copy_)(const std::byte*, std::byte*);
  alignas(void*) std::byte captured_[88];
};

// What emitting a block needs, kept from one block to the next.
struct EmissionMemory {
  asmjit::CodeHolder code;
  asmjit::x86::Assembler assembler;
  Frames frames;
  std::vector<LaterCode> later;
};

class Emission {
 public:
  Emission(EmissionMemory& memory, const Trampolines& trampolines, TranslationRecords& records,
           const Block& block);
  // Where code goes, and where it will execute. Before any is emitted.
  void EmitInto(std::span<uint8_t> room, uint64_t base);

  asmjit::x86::Assembler& a() { return memory_.assembler; }
  Mode mode() const { return mode_; }

  // --- The instruction in hand.
  // What is known of it before it is emitted.
  struct Context {
    bool flags_live;
    bool followed;  // by another one in the block
    SharedProbe shared;
    HeldAccess held;
  };
  void Begin(const RunInstruction& instruction, const Context& context);
  const Decoded& decoded() const { return *decoded_; }
  const Instruction& insn() const { return decoded_->compact; }
  // .handler == nullptr: it is re-encoded.
  const HandlerInfo& handler() const { return handler_; }
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
  // Of a direct jump to `rip`.
  LeaveSite& NewLinkSite(uint64_t rip, LinkTo to);
  // Of the instruction in hand.
  LeaveSite& NewHandlerSite();
  void Leave(LeaveSite& site);
  // Emits `code` after the end of the block, for what is rarely executed.
  template <typename Code>
  void Later(const Code& code) {
    memory_.later.emplace_back(code);
  }
  void EmitLater();
  // The jump emitted last is the site's link.
  void LinkedHere(LeaveSite& site) { site.link->patch = here() - sizeof(int32_t); }
  // Where what is emitted next will execute.
  uint64_t here() { return base_ + a().offset(); }

  // --- Guest registers (emission.cc).
  // A host register holding the guest's, loading it into `temp` when it lives in memory.
  asmjit::x86::Gp Use(uint8_t guest, const asmjit::x86::Gp& temp);
  void Store(uint8_t guest, const asmjit::x86::Gp& from);
  void LoadImmediate(const asmjit::x86::Gp& to, uint64_t value);

  // --- Memory (memory_access.cc).
  // Linear address of a memory operand into kTemp0. Keeps flags; uses kTemp1.
  void EmitAddress(const Operand& operand);
  // Its two halves: the offset in the segment, wrapped to the address size, into `to`, and adding
  // the base.
  void EmitOffset(const Operand& operand, const asmjit::x86::Gp& to);
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
  void EmitProbe(uint32_t bytes, MemoryUse use, bool stack, uint64_t retry);
  // The same, but for where it goes: to `slow`, with kTemp0 and kTemp1 changed.
  void EmitFastProbe(uint32_t bytes, MemoryUse use, const asmjit::Label& slow);
  // EmitAddress and EmitProbe, or what another access has found. The bytes are at Accessed() then;
  // no register of it may change before they are used.
  void EmitOperandAccess(const Operand& operand, uint32_t bytes, MemoryUse use);
  void EmitStackAccess(int64_t displacement, uint32_t bytes, MemoryUse use);
  asmjit::x86::Mem Accessed(uint32_t bytes) const {
    asmjit::x86::Mem mem = accessed_;
    mem.setSize(bytes);
    return mem;
  }

  // --- Held pages of a loop (held_access.cc).
  // Where the block begins: frees the host registers of these guest registers.
  void SetAside(RegisterSet guests);
  // Where the turns begin that the loop goes on with. Looks at the attention word.
  void BeginTurns();

  // --- Going on (control_flow.cc).
  void JumpTo(uint64_t rip);                                // a constant offset in CS
  void JumpToIf(asmjit::x86::Inst::Id jump, uint64_t rip);  // Jcc
  void JumpToTemp0() { JumpToTemp0(mode_.tlb()); }          // to the offset in kTemp0
  void JumpToTemp0(TlbIndex index);                         // through that jump cache
  void EmitAttentionCheck(uint64_t rip, bool flags_live);

  asmjit::CodeHolder& code() { return memory_.code; }
  bool failed() const { return failed_; }
  void Fail() { failed_ = true; }

 private:
  // `front`, `middle` and `back`, in this order. The first and the last make the same code for a
  // frame each time, but for `number`, which takes the four bytes before the offset that `front`
  // returns (0: there is none); `middle` makes as many bytes each time.
  template <typename Front, typename Middle, typename Back>
  void EmitFrame(Frame& frame, int32_t number, const Front& front, const Middle& middle,
                 const Back& back) {
    asmjit::x86::Assembler& a = assembler_;
    const bool made = !frame.front.empty();
    const size_t begin = a.offset();
    if (made) {
      Append(frame.front);
    } else if (const size_t number_end = front(); number_end != 0) {
      frame.number_end = static_cast<uint8_t>(number_end - begin);
    }
    if (frame.number_end != 0) {
      std::memcpy(a.bufferData() + begin + frame.number_end - sizeof(number), &number,
                  sizeof(number));
    }
    const size_t front_end = a.offset();
    middle();
    const size_t back_begin = a.offset();
    if (made) return Append(frame.back);
    back();
    frame.front.Keep(a.bufferData() + begin, front_end - begin);
    frame.back.Keep(a.bufferData() + back_begin, a.offset() - back_begin);
  }
  void Append(const Fragment& fragment) {
    assembler_.embed(fragment.bytes().data(), fragment.bytes().size());
  }

  bool UseSharedProbe(SharedProbe::Part part);
  void OpenSharedProbe();
  bool UsesHeldPage(HeldAccess::Part part) const;
  void EmitHeldAccess(const Operand& address);
  void EmitProbeToHold(const HeldAccess& held, const asmjit::Label& fails);
  void PutBack();
  void EmitSlot();
  void EmitProbeOverwritingFlags(uint32_t bytes, MemoryUse use, const asmjit::Label& slow);
  void EmitProbeKeepingFlags(uint32_t bytes, MemoryUse use, const asmjit::Label& slow);

  bool CanLink(uint64_t rip) const;
  void EmitLink(asmjit::x86::Inst::Id jump, uint64_t rip);
  // What leads to `from` goes on by a jump that may be linked.
  void LinkLater(const asmjit::Label& from, LeaveSite& site);

  EmissionMemory& memory_;
  const Trampolines& trampolines_;
  TranslationRecords& records_;
  const Mode mode_;
  const uint64_t block_rip_;
  const uint32_t page_offset_;
  uint64_t base_ = 0;  // where the code executes
  asmjit::x86::Assembler& assembler_;
  const Decoded* decoded_ = nullptr;
  HandlerInfo handler_;
  uint64_t rip_ = 0;
  bool flags_live_ = true;
  bool followed_ = false;
  Onward onward_ = Onward::kOut;
  SharedProbe shared_;
  bool shared_open_[kSharedProbes] = {};
  HeldAccess held_;
  asmjit::x86::Mem accessed_;
  RegisterSet set_aside_ = 0;
  RegisterSet filled_ = 0;  // of these: addends of pages
  asmjit::Label put_back_and_leave_;
  asmjit::Label turns_;
  bool failed_ = false;
};

}  // namespace hv::soft
