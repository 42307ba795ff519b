#include "hv_kernel/soft/dispatcher.h"

#include <utility>

#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/memory/tlb.h"
#include "hv_kernel/soft/system/breakpoints.h"
#include "hv_kernel/soft/system/events.h"

namespace hv::soft {
namespace {

constexpr uint64_t kXsaveFeatures = 7;  // x87, SSE, AVX
constexpr uint32_t kMovSsShadow = 2;
constexpr uint32_t kModeBitsOfJumpCache = ~(3u << 2);  // all but the TLB index

void LoadVectorState(Cpu& cpu) {
  asm volatile("xrstor64 %0"
               :
               : "m"(*reinterpret_cast<const char(*)[HV_XSAVE_BYTES]>(cpu.xsave)),
                 "a"(kXsaveFeatures), "d"(0)
               : "memory");
  cpu.vector_live = true;
}

uint64_t LinearRip(const Cpu& cpu) {
  return In64BitMode(cpu) ? cpu.rip : (cpu.segment[HV_CS].base + cpu.rip) & 0xffffffffu;
}

// Whether the code still begins with the bytes it was translated from.
bool IsAsTranslated(const Block& block, const uint8_t* code) {
  if (block.head_mask == 0) return true;
  uint64_t head;
  __builtin_memcpy(&head, code, sizeof(head));
  return (head & block.head_mask) == block.head;
}

}  // namespace

Dispatcher::Turn Dispatcher::Give(Need need) {
  need_ = need;
  return Turn::kNeed;
}

Need Dispatcher::Run() {
  code_ = 0;
  for (;;) {
    if (code_ == 0 && FindCode(Wanted::kCode) == Turn::kNeed) return need_;
    if (code_ == 0) continue;
    const uint64_t code = code_;
    code_ = 0;
    Enter(code);
    if (Serve(*reinterpret_cast<LeaveSite*>(cpu_.leave_site)) == Turn::kNeed) return need_;
  }
}

bool Dispatcher::NeedsSingle() const {
  return cpu_.interrupt_shadow != 0 || (cpu_.rflags & kFlagTf) != 0 ||
         AnyInstructionBreakpoint(cpu_);
}

// The translation of what is at cpu.rip into code_. kBlock: and into found_, when it is a block's.
Dispatcher::Turn Dispatcher::FindCode(Wanted wanted) {
  if (cpu_.code_write_count != 0 || HasMail()) return Give(Need::kInvalidate);
  const bool interruptible = (cpu_.rflags & kFlagIf) != 0 && cpu_.interrupt_shadow == 0;
  if (!slow_ && cpu_.read_count == 0) {
    if ((cpu_.want_interrupt_window && interruptible) ||
        (cpu_.want_nmi_window && !cpu_.nmi_blocked && cpu_.interrupt_shadow == 0)) {
      cpu_.exit = {.reason = ExitReason::kInterruptWindow};
      return Give(Need::kExit);
    }
  }
  const uint64_t linear = LinearRip(cpu_);
  single_ = NeedsSingle();
  cpu_.single_step = (cpu_.rflags & kFlagTf) != 0;
  cpu_.breakpoint_hits = 0;
  // Blocks look at the attention word themselves; single instructions leave it to this place.
  if (single_ && !slow_ && cpu_.interrupt_shadow == 0 && cpu_.read_count == 0 &&
      cpu_.config.attention->load(std::memory_order_relaxed) != 0) {
    cpu_.exit = {.reason = ExitReason::kAttention};
    return Give(Need::kExit);
  }
  // Not again when the instruction starts anew, with its device's answer or in slow mode.
  const bool begins = !slow_ && cpu_.read_count == 0;
  if (single_ && begins && (cpu_.rflags & kFlagRf) == 0 && cpu_.interrupt_shadow != kMovSsShadow) {
    if (const uint64_t hit = InstructionBreakpointsAt(cpu_, linear); hit != 0) {
      Raise(cpu_, Vector::kDebug);
      cpu_.exception.address = hit;
      return Resolve(Outcome::kException);
    }
  }
  const Mode plain = Mode::Of(cpu_);
  MatchJumpCaches(plain, linear - cpu_.rip);
  const LinkTo link = std::exchange(link_, LinkTo::kPlain);
  mode_ = slow_                       ? plain.Slow()
          : single_                   ? plain.Single()
          : link == LinkTo::kUnshared ? plain.Unshared()
          : link == LinkTo::kLoop     ? plain.Loop()
                                      : plain;
  if (FindInJumpCache(wanted)) return Turn::kNext;
  linear_ = linear;
  Location& at = at_;
  const Outcome outcome = Locate(cpu_, linear, AccessKind::kExecute, plain.tlb(), false, at);
  if (outcome != Outcome::kDone) {
    slow_ = false;
    return Resolve(outcome);
  }
  ++lookups_;
  if (at.host == nullptr) {  // code in a device or in a hole
    slow_ = false;
    cpu_.exit = {.reason = ExitReason::kUnsupported, .address = at.physical};
    return Give(Need::kExit);
  }
  physical_ = at.physical;
  Block* block = cache_.Find(physical_, cpu_.rip, mode_);
  Location next{.global = true};
  const bool across = block != nullptr && block->physical_next_page != 0;
  if (across) block = FindAcross(linear, *block, next);
  if (block == nullptr) {
    link_ = link;
    return Give(Need::kTranslate);
  }
  if (!IsAsTranslated(*block, at.host)) {
    NoteStore(cpu_, physical_ & kPageMask, at.ram_page, kPageBytes);
    return Give(Need::kInvalidate);
  }
  if (across) {
    NoteCodePage(cpu_, mode_.tlb(), linear + kPageBytes, next.page_shift, next.global);
  }
  Remember(*block);
  code_ = block->code;
  found_ = block;
  cpu_.rflags &= ~kFlagRf;
  return Turn::kNext;
}

// The translation of an instruction that ends on the next page, as that page is mapped now; null
// when there is none, or a fault for the translator to find.
Block* Dispatcher::FindAcross(uint64_t linear, const Block& block, Location& next) {
  const uint64_t next_linear = (linear & kPageMask) + kPageBytes;
  const Outcome outcome = Locate(cpu_, next_linear, AccessKind::kExecute, mode_.tlb(), false, next);
  if (outcome != Outcome::kDone || next.host == nullptr) return nullptr;
  return cache_.FindAcross(block.physical, next.physical & kPageMask, block.rip, mode_);
}

// Jump caches go by RIP alone: they hold for one mode and one base of CS.
void Dispatcher::MatchJumpCaches(Mode mode, uint64_t code_base) {
  const uint32_t bits = mode.bits() & kModeBitsOfJumpCache;
  if (bits == cpu_.jump_cache_mode && code_base == cpu_.jump_cache_base) return;
  ClearJumpCaches(cpu_);
  cpu_.jump_cache_mode = bits;
  cpu_.jump_cache_base = code_base;
}

// As translated code finds it: without a look at page tables or at the code's bytes.
bool Dispatcher::FindInJumpCache(Wanted wanted) {
  const JumpCache& cache = cpu_.jump_cache[static_cast<size_t>(mode_.tlb())];
  const JumpCacheEntry& entry = cache.entry[JumpCacheSlot(cpu_.rip)];
  if (wanted == Wanted::kCode && entry.tag == 0 - cpu_.rip && mode_.plain()) {
    code_ = entry.code;
  } else {
    const RecentCode& recent = RecentAt(cpu_.rip, mode_);
    const bool found = recent.rip == cpu_.rip && recent.life == cache.life && recent.mode == mode_;
    if (!found) return false;
    code_ = recent.block->code;
    found_ = recent.block;
    if (mode_.plain()) {
      EnterJumpCache(cpu_, mode_.tlb(), {.tag = 0 - recent.rip, .code = code_});
    }
  }
  cpu_.rflags &= ~kFlagRf;  // it held for this instruction alone
  return true;
}

void Dispatcher::Remember(Block& block) {
  NoteCodePage(cpu_, mode_.tlb(), linear_, at_.page_shift, at_.global);
  if (mode_.plain()) {
    EnterJumpCache(cpu_, mode_.tlb(), {.tag = 0 - block.rip, .code = block.code});
  }
  RecentAt(block.rip, mode_) = {.rip = block.rip,
                                .block = &block,
                                .life = cpu_.jump_cache[static_cast<size_t>(mode_.tlb())].life,
                                .mode = mode_};
}

void Dispatcher::Forget(const Block& block) {
  RecentCode& recent = RecentAt(block.rip, block.mode);
  if (recent.block == &block) recent.life = 0;
  DropFromJumpCaches(cpu_, {.tag = 0 - block.rip, .code = block.code});
}

void Dispatcher::Enter(uint64_t code) {
  if (!cpu_.vector_live) LoadVectorState(cpu_);
  cpu_.enter_code = code;
  cache_.trampolines().enter();
  cpu_.rflags = (cpu_.rflags & ~kArithmeticFlags) | (cpu_.host_flags & kArithmeticFlags);
}

Dispatcher::Turn Dispatcher::Serve(LeaveSite& site) {
  Count(left_[static_cast<size_t>(site.kind)]);
  switch (site.kind) {
    case LeaveKind::kLookup: cpu_.rip = cpu_.host_r10; return Turn::kNext;
    case LeaveKind::kLink:
      cpu_.rip = site.rip;
      if (site.link_to == LinkTo::kLoop && site.turns < cold_turns_) {
        ++site.turns;
        return Turn::kNext;
      }
      link_ = site.link_to;
      if (FindCode(Wanted::kBlock) == Turn::kNeed) return Turn::kNeed;
      // Not when a fetch fault or a single step has come between.
      if (code_ == 0 || mode_.single() || cpu_.rip != site.rip) return Turn::kNext;
      site_ = &site;
      block_ = found_;
      return Give(Need::kLink);
    case LeaveKind::kAttention:
      cpu_.rip = site.rip;
      if (cpu_.config.attention->load(std::memory_order_relaxed) == 0) return Turn::kNext;  // mail
      cpu_.exit = {.reason = ExitReason::kAttention};
      return Give(Need::kExit);
    case LeaveKind::kMemory: return ServeMemory(site);
    case LeaveKind::kSlowProbe: return ServeSlowProbe(site);
    case LeaveKind::kDone:
      cpu_.rip = cpu_.host_r10;
      return slow_ ? FinishSlow() : Resolve(Outcome::kDone);
    case LeaveKind::kHandler:
      cpu_.rip = site.rip;
      if (site.handled->handler.vector_state) {
        site_ = &site;
        return Give(Need::kVector);
      }
      return Settle(Execute(site)) ? Turn::kNext : Turn::kNeed;
    case LeaveKind::kException:
      cpu_.rip = site.rip;
      return Resolve(RaiseFor(static_cast<Vector>(site.vector)));
    case LeaveKind::kUnsupported:
      cpu_.rip = site.rip;
      cpu_.exit = {.reason = ExitReason::kUnsupported};
      return Give(Need::kExit);
    case LeaveKind::kHostFault: return Give(Need::kHostFault);
  }
  return Turn::kNext;
}

Outcome Dispatcher::RaiseFor(Vector vector) {
  return vector == Vector::kGeneralProtection ? RaiseWithCode(cpu_, vector, 0)
                                              : Raise(cpu_, vector);
}

void Dispatcher::BeginByHand(uint8_t length) {
  cpu_.read_cursor = 0;
  cpu_.interrupt_shadow = 0;
  const uint64_t next = cpu_.rip + length;
  cpu_.next_rip = In64BitMode(cpu_) ? next : next & 0xffffffffu;
}

Outcome Dispatcher::Execute(const LeaveSite& site) {
  const Instruction& insn = site.handled->insn;
  Count(handled_[insn.mnemonic]);
  BeginByHand(insn.length);
  const Outcome outcome = site.handled->handler.handler(cpu_, insn);
  if (outcome == Outcome::kDone) cpu_.rip = cpu_.next_rip;
  return outcome;
}

bool Dispatcher::Settle(Outcome outcome) { return Resolve(outcome) == Turn::kNext; }

// An instruction has retired, faulted or wants out.
Dispatcher::Turn Dispatcher::Resolve(Outcome outcome) {
  slow_ = false;
  if (outcome == Outcome::kExit) return Give(Need::kExit);
  RetireDeviceReads(cpu_);
  if (outcome == Outcome::kException) {
    cpu_.interrupt_shadow = 0;
    cpu_.single_step = false;
    cpu_.write_count = cpu_.write_cursor = 0;
    if (DeliverException(cpu_) == Outcome::kExit) return Give(Need::kExit);
    return Turn::kNext;
  }
  if (single_) {
    // Handlers set a shadow of their own after Execute has ended the old one; re-encoded
    // instructions just end it.
    const auto& left = *reinterpret_cast<const LeaveSite*>(cpu_.leave_site);
    if (left.kind == LeaveKind::kDone) cpu_.interrupt_shadow = 0;
  }
  if (TrapsAreDue(cpu_) && DeliverTraps(cpu_) == Outcome::kExit) return Give(Need::kExit);
  if (cpu_.write_count != 0) {
    cpu_.exit = {.reason = ExitReason::kMmioWrite};  // which one: SoftVcpu::NextWrite
    return Give(Need::kExit);
  }
  if (cpu_.halted) {
    cpu_.exit = {.reason = ExitReason::kHalt};
    return Give(Need::kExit);
  }
  return Turn::kNext;
}

}  // namespace hv::soft
