// One probe of the TLB for several accesses: those of a block by the same registers that lie close
// together, as the slots of a stack frame and the fields of a structure do.
//
// The first of them probes for all: from the lowest byte that any of them touches to the highest,
// and for writing if any of them writes. Where that holds, the others need no probe; the host
// address of the lowest byte is in Cpu::shared meanwhile. Where it does not (two pages, no right to
// write yet), the first goes on in a translation of its own, from that instruction on, in which
// every access probes for itself. So who shares decides nothing but speed.
//
// What was found holds to the end of the block, since the TLB is flushed between blocks alone. An
// entry may be displaced inside one, though, and others look at the TLB for who can write to a page
// (code_exchange.h): behind a probe for writing, an access that misses ends the block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "hv_kernel/soft/translate/leave_site.h"
#include "hv_kernel/soft/translate/mode.h"
#include "hv_kernel/soft/translate/near_access.h"
#include "hv_kernel/soft/translate/run.h"

namespace hv::soft {

// What one instruction has to do with shared probes.
struct SharedProbe {
  using Part = NearAccess::Part;

  Part part = Part::kNone;  // which of its accesses shares
  bool opens = false;       // it probes
  bool miss_ends = false;   // whatever it accesses otherwise: a miss ends the block
  uint8_t slot = 0;         // of Cpu::shared
  int32_t reach = 0;        // bytes from the lowest one to those of this access; never negative
  uint32_t bytes = 0;       // from the lowest to the highest
  MemoryUse use = MemoryUse::kRead;
};

class ProbeSharing {
 public:
  // For each instruction of a block. What is found before instruction `head` is not used from there
  // on. Valid until the next call.
  std::span<const SharedProbe> Plan(std::span<const RunInstruction> run, Mode mode,
                                    size_t head = 0);

 private:
  // The accesses by one address, as long as its registers are only moved by constants.
  struct Group {
    uint8_t base;
    uint8_t index;
    uint8_t scale;
    bool open = true;
    bool writes;
    uint32_t members = 1;
    int64_t moved = 0;  // how far the address has come since the first
    int64_t low;        // relative to the first one's base + index * scale
    int64_t high;
  };
  struct Noted {
    size_t instruction;
    size_t group;
    NearAccess::Part part;
    int64_t offset;  // as Group::low
  };

  static bool Join(Group& group, const NearAccess& access);
  void Note(size_t instruction, const NearAccess& access);
  void Follow(const Decoded& decoded);
  void Moved(uint8_t reg, std::optional<int64_t> step);
  void Divide(size_t instruction);
  void AssignSlots();
  void MarkMissesThatEnd();

  // Kept from one block to the next for their memory.
  std::vector<SharedProbe> plan_;
  std::vector<Noted> accesses_;
  std::vector<Group> groups_;
  std::vector<size_t> parts_;
  std::vector<uint8_t> slot_of_group_;
};

}  // namespace hv::soft
