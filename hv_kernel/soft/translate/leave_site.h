// The places where generated code returns to C++, and what it says there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/instruction.h"
#include "hv_kernel/soft/system/instructions.h"

namespace hv::soft {

enum class LeaveKind : uint8_t {
  kLink,         // a direct jump to `rip`, not linked yet: its rel32 lies at `patch`
  kLookup,       // go on at host_r10, which the jump cache did not know
  kAttention,    // the attention word is set; go on at `rip`
  kMemory,       // an access at linear host_r10 missed the TLB; try again at `resume`
  kSlowProbe,    // slow mode: host_r10 is linear; wants a bounce buffer in host_r10 at `resume`
  kDone,         // single and slow mode: the instruction is done; go on at host_r10
  kHandler,      // `insn` at `rip` is to be executed by `handler`
  kException,    // the instruction at `rip` takes exception `vector` (#UD, #NM, #GP(0))
  kUnsupported,  // the instruction at `rip` cannot be run
  kHostFault,    // a host signal: made by host_fault.cc, not by the translator
};
inline constexpr size_t kLeaveKinds = static_cast<size_t>(LeaveKind::kHostFault) + 1;

enum class MemoryUse : uint8_t { kRead, kWrite, kReadWrite };

// The translation that a direct jump is to lead to.
enum class LinkTo : uint8_t {
  kPlain,
  kUnshared,  // in which each access has its own probe (shared_probes.h)
  kLoop,      // as a loop's (run.h): the jump goes backward
};

struct LeaveSite {
  LeaveKind kind;
  MemoryUse use = MemoryUse::kRead;
  bool plain_move = false;  // kMemory: `insn` is one (device_moves.h)
  LinkTo link = LinkTo::kPlain;
  bool miss_ends = false;  // kMemory: begin a block at `rip` instead
  bool stack = false;      // a non-canonical address takes #SS
  uint8_t vector = 0;
  uint32_t bytes = 0;
  uint64_t rip = 0;
  uint64_t resume = 0;  // host address
  uint64_t found =
      0;  // kMemory: the same, for who has put the operand's host address into host R10
  uint64_t patch = 0;  // host address of a rel32
  HandlerInfo handler;
  const Instruction* insn = nullptr;  // kHandler, and kMemory with `plain_move`
};

// Those of all translations; they live as long as these. Most sites are of memory accesses and need
// no instruction.
class LeaveSites {
 public:
  LeaveSite& Add(LeaveKind kind, uint64_t rip) {
    return sites_.emplace_back(LeaveSite{.kind = kind, .rip = rip});
  }
  void GiveInstruction(LeaveSite& site, const Instruction& insn) {
    site.insn = &instructions_.emplace_back(insn);
  }
  uint64_t bytes() const {
    return sites_.size() * sizeof(LeaveSite) + instructions_.size() * sizeof(Instruction);
  }
  void Clear() {
    sites_.clear();
    instructions_.clear();
  }

 private:
  std::deque<LeaveSite> sites_;
  std::deque<Instruction> instructions_;
};

}  // namespace hv::soft
