// Pages whose translations a loop keeps in host registers from one turn to the next.
//
// An access of a loop mostly finds the page it found in the turn before, so what the TLB says of
// it, the tag and the addend, can stay in registers: those whose guest registers the loop does not
// use. Their guest values are set aside in Cpu::set_aside where the loop's block begins, and put
// back on each way out of it. The first turn probes the TLB as ever and fills the registers; the
// turns after it are a loop of their own, which checks an access against the tag it holds and looks
// at the TLB again where that does not fit. Where no turn writes the registers of an address, its
// page needs no tag and no check: it is the first turn's.
//
// What is held is what the TLB said, and is as good as that as long as no C++ has run: it alone
// changes the TLB. So a block with held pages is left for good whenever it is left, and entered at
// its beginning alone. A page held for writing has its write tag in the TLB meanwhile, where others
// find it when they claim the page for code (code_exchange.h): they kick this vCPU and wait until
// it is between two blocks, and every turn looks at the attention word.
//
// A probe that fails leads to a translation without any of this (LinkTo::kUnshared), as that of
// shared probes does: who holds what decides nothing but speed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "hv_kernel/soft/translate/leave_site.h"
#include "hv_kernel/soft/translate/loop_registers.h"
#include "hv_kernel/soft/translate/mode.h"
#include "hv_kernel/soft/translate/near_access.h"
#include "hv_kernel/soft/translate/run.h"
#include "hv_kernel/soft/translate/shared_probes.h"

namespace hv::soft {

// The guest registers in whose host registers a page is held.
struct HeldPage {
  uint8_t tag = kNoRegister;  // kNoRegister: no turn needs it
  uint8_t addend = kNoRegister;
  MemoryUse use = MemoryUse::kRead;
};

// What one instruction has to do with a held page.
struct HeldAccess {
  enum class Step : uint8_t {
    kFills,   // probes the TLB and keeps what it says
    kChecks,  // probes again where its page is not the held one
    kUses,    // knows that it is
  };

  using Part = NearAccess::Part;

  Part part = Part::kNone;  // which of its accesses is to it
  Step step = Step::kUses;
  HeldPage page;
  int32_t reach = 0;   // bytes from the lowest one that is probed for to this access
  uint32_t bytes = 0;  // that are probed for
};

class HeldPages {
 public:
  // Which instruction of the run begins the turns that may hold pages; 0: none does.
  static size_t HeadOf(const Run& run, Mode mode);

  // What to hold. REQUIRES: `head` is the run's, not 0, and `shared` is divided there.
  void Plan(std::span<const RunInstruction> run, size_t head, std::span<const bool> flags_live,
            std::span<const SharedProbe> shared);
  void PlanNone(size_t instructions);

  // Guest registers whose host registers hold something else.
  RegisterSet set_aside() const { return set_aside_; }
  const HeldAccess& of(size_t instruction) const { return accesses_[instruction]; }

 private:
  static constexpr size_t kMost = kLongestRun / 2;  // in one turn

  // The accesses that one page would serve: what stands in different turns for one instruction, and
  // what shares a probe.
  struct Strand {
    bool possible = true;
    bool fixed = true;  // its address stays
    bool writes = false;
    bool filled = false;
    bool checks_with_flags = false;
    uint32_t saved = 0;  // host instructions, in the turns behind the first
    int64_t low = 0;     // what the first turn probes for
    int64_t high = 0;
    uint8_t registers() const { return fixed ? 1 : 2; }
  };
  struct Noted {
    size_t instruction;
    NearAccess access;
    bool probes;  // for itself or for others
    int32_t reach;
    uint32_t bytes;
  };

  void NoteAccesses(std::span<const RunInstruction> run, std::span<const SharedProbe> shared);
  void JoinStrands(std::span<const SharedProbe> shared);
  void Weigh(std::span<const bool> flags_live);
  void Choose();
  void Assign();
  Strand& StrandOf(const Noted& noted) { return strands_[strand_of_[noted.instruction % head_]]; }

  size_t head_ = 0;
  RegisterSet set_aside_ = 0;
  LoopRegisters registers_;
  std::array<uint8_t, kMost> strand_of_;  // of the instructions of one turn
  std::array<Strand, kMost> strands_;
  std::array<HeldPage, kMost> page_of_;  // of strands; without an addend: none
  // Kept from one block to the next for their memory.
  std::vector<Noted> noted_;
  std::vector<HeldAccess> accesses_;
};

}  // namespace hv::soft
