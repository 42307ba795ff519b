// The inner loop: finds the next block, runs it, serves what it left for, as long as no vector
// register of the host is needed for that. Compiled to touch none: the guest's are in them.
#pragma once

#include <Zydis/Mnemonic.h>

#include <cstdint>

#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/translate/leave_site.h"
#include "hv_kernel/soft/translate/mode.h"
#include "hv_kernel/soft/translate/translation_cache.h"

namespace hv::soft {

// What the outer loop (soft_vcpu.cc) has to do before the inner one can go on.
enum class Need : uint8_t {
  kExit,        // cpu.exit leaves to the run loop
  kTranslate,   // the code at cpu.rip, in `mode`, first byte at `physical`
  kLink,        // `site` to `block`
  kInvalidate,  // cpu.code_writes, or mail from other vCPUs
  kVector,      // `site`'s handler, with the vector state in cpu.xsave
  kHostFault,   // cpu.fault_pc, cpu.fault_signal
};

class Dispatcher {
 public:
  // `cold_turns`: SoftOptions has it.
  Dispatcher(Cpu& cpu, TranslationCache& cache, uint8_t cold_turns)
      : cpu_(cpu), cache_(cache), cold_turns_(cold_turns) {}

  // Whether other vCPUs have something to say (code_exchange.h).
  bool HasMail() const {
    return __atomic_load_n(&cpu_.attention, __ATOMIC_RELAXED) != cpu_.config.attention;
  }

  // REQUIRES: the thread's GS base is the Cpu.
  Need Run();

  // The block that a kTranslate has led to. Of one page.
  void Remember(Block& block);
  // One that has been dropped.
  void Forget(const Block& block);

  // Details of the last Need.
  Mode mode() const { return mode_; }
  uint64_t physical() const { return physical_; }
  const LeaveSite& site() const { return *site_; }
  Block& block() const { return *block_; }

  // The outcome of a handler or a delivery, as the inner loop treats it. False: leave with kExit.
  bool Settle(Outcome outcome);
  // For kVector: executes the handler of `site`.
  Outcome Execute(const LeaveSite& site);

  uint64_t slow_instructions() const { return slow_instructions_; }
  uint64_t tlb_misses() const { return tlb_misses_; }
  uint64_t lookups() const { return lookups_; }
  // How often generated code was left, by why; and for which instructions' handlers, by mnemonic.
  // Any thread.
  uint64_t left(LeaveKind kind) const { return Load(left_[static_cast<size_t>(kind)]); }
  uint64_t handled(uint16_t mnemonic) const { return Load(handled_[mnemonic]); }
  static constexpr size_t kMnemonics = ZYDIS_MNEMONIC_MAX_VALUE + 1;

 private:
  enum class Turn : uint8_t { kNext, kNeed };

  static uint64_t Load(const uint64_t& counter) {
    return __atomic_load_n(&counter, __ATOMIC_RELAXED);
  }
  static void Count(uint64_t& counter) {
    __atomic_store_n(&counter, counter + 1, __ATOMIC_RELAXED);
  }

  bool NeedsSingle() const;
  enum class Wanted : uint8_t { kCode, kBlock };
  Turn FindCode(Wanted wanted);
  bool FindInJumpCache(Wanted wanted);
  void Enter(uint64_t code);
  Turn Serve(LeaveSite& site);
  void BeginByHand(uint8_t length);
  Turn ServeMemory(const LeaveSite& site);
  Outcome FindInTwoPages(const LeaveSite& site, uint64_t linear, uint64_t& host);
  Turn RunSlow(uint64_t rip);
  Turn ServeSlowProbe(const LeaveSite& site);
  Outcome ProbeRam(Cpu::Bounce& bounce);
  Outcome FillBuffer(Cpu::Bounce& bounce, bool read);
  Turn FinishSlow();
  Outcome RaiseFor(Vector vector);
  Turn Resolve(Outcome outcome);
  Turn Give(Need need);
  Block* FindAcross(uint64_t linear, const Block& block, Location& next);
  void MatchJumpCaches(Mode mode, uint64_t code_base);

  // Behind the jump caches, which generated code can probe in few instructions because they are
  // small and direct-mapped: what they have forgotten since they were last emptied, and what is
  // not for them: the single instructions after STI, those in slow mode.
  struct RecentCode {
    uint64_t rip;
    Block* block;
    uint64_t life;  // of the jump cache it was found under; 0: none
    Mode mode;
  };
  static constexpr int kRecentBits = 12;
  RecentCode& RecentAt(uint64_t rip, Mode mode) {
    constexpr uint64_t kGolden = 0x9e3779b97f4a7c15;  // 2^64 by the golden ratio
    return recent_[(rip + mode.bits()) * kGolden >> (64 - kRecentBits)];
  }

  Cpu& cpu_;
  TranslationCache& cache_;
  const uint8_t cold_turns_;
  Need need_ = Need::kExit;
  Mode mode_;
  uint64_t physical_ = 0;
  uint64_t linear_ = 0;  // of the code looked for last
  Location at_;          // where it was found
  uint64_t code_ = 0;    // to enter next; 0: find it
  const LeaveSite* site_ = nullptr;
  Block* block_ = nullptr;
  Block* found_ = nullptr;  // whose code FindCode gave last
  bool single_ = false;
  bool slow_ = false;             // the next instruction runs in slow mode
  LinkTo link_ = LinkTo::kPlain;  // which translation is wanted next
  uint64_t slow_instructions_ = 0;
  uint64_t tlb_misses_ = 0;
  uint64_t lookups_ = 0;
  uint64_t left_[kLeaveKinds] = {};
  uint64_t handled_[kMnemonics] = {};
  RecentCode recent_[size_t{1} << kRecentBits] = {};
};

}  // namespace hv::soft
