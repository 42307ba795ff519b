// The places where generated code returns to C++, and what it says there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/instruction.h"
#include "hv_kernel/soft/system/device_moves.h"
#include "hv_kernel/soft/system/instructions.h"

namespace hv::soft {

enum class LeaveKind : uint8_t {
  kLink,         // a direct jump to `rip`, not linked yet
  kLookup,       // go on at host_r10, which the jump cache did not know
  kAttention,    // the attention word is set; go on at `rip`
  kMemory,       // an access at linear host_r10 missed the TLB; try again at `resume`
  kSlowProbe,    // slow mode: host_r10 is linear; wants a bounce buffer in host_r10 at `resume`
  kDone,         // single and slow mode: the instruction is done; go on at host_r10
  kHandler,      // `handled`, at `rip`, is to be executed
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
  kLoop,      // as a loop's (run.h), once it is no longer cold: the jump goes backward
};

// An instruction that C++ executes.
struct HandledInstruction {
  Instruction insn;
  HandlerInfo handler;
};

struct Link;

struct LeaveSite {
  LeaveKind kind = LeaveKind::kUnsupported;
  MemoryUse use = MemoryUse::kRead;
  LinkTo link_to = LinkTo::kPlain;
  bool miss_ends = false;  // kMemory: begin a block at `rip` instead
  bool stack = false;      // a non-canonical address takes #SS
  uint8_t vector = 0;
  uint8_t length = 0;  // kMemory: of the instruction
  uint8_t turns = 0;   // kLink to a loop: how often it was left here
  uint32_t bytes = 0;
  // kMemory: from `resume` to where who has put the operand's host address into host R10 goes on.
  int32_t found = 0;
  uint64_t rip = 0;
  union {
    uint64_t resume = 0;                // kMemory, kSlowProbe: host address
    Link* link;                         // kLink
    const HandledInstruction* handled;  // kHandler
  };
  DeviceMove move;  // kMemory: if the instruction is one
};

struct Block;

// A direct jump in generated code, which may lead to its leave site or to a block.
struct Link {
  uint64_t patch = 0;         // host address of its rel32
  int32_t unlinked = 0;       // the rel32 that leads to the leave site
  Block* target = nullptr;    // where it leads; null: to the leave site
  Link* next = nullptr;       // of those that lead there
  Link** previous = nullptr;  // what points here
};

}  // namespace hv::soft
