#include "hv_kernel/soft/translate/shared_probes.h"

#include <algorithm>
#include <optional>

#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/translate/near_access.h"

namespace hv::soft {
namespace {

// A probe over more than one page's worth fails always, over a part of it as often as it is wide.
constexpr int64_t kWidest = 256;

// The accesses by one address, as long as its registers are only moved by constants.
struct Group {
  uint8_t base;
  uint8_t index;
  uint8_t scale;
  bool open = true;
  bool writes;
  uint32_t members = 1;
  int64_t moved = 0;  // how far `base` has come since the first
  int64_t low;        // relative to the first one's base + index * scale
  int64_t high;
};

class Sharing {
 public:
  explicit Sharing(size_t instructions) : plan_(instructions) { accesses_.reserve(instructions); }

  void Note(size_t instruction, const NearAccess& access) {
    for (size_t i = 0; i < groups_.size(); ++i) {
      Group& group = groups_[i];
      const bool same = group.open && group.base == access.base && group.index == access.index &&
                        group.scale == access.scale;
      if (!same) continue;
      if (Join(group, access)) {
        accesses_.push_back({instruction, i, access.part, access.offset + group.moved});
        return;
      }
      group.open = false;
      break;
    }
    accesses_.push_back({instruction, groups_.size(), access.part, access.offset});
    groups_.push_back({.base = access.base,
                       .index = access.index,
                       .scale = access.scale,
                       .writes = access.writes,
                       .low = access.offset,
                       .high = access.offset + access.bytes});
  }

  // What the instruction does to registers.
  void Follow(const Decoded& decoded) {
    for (int i = 0; i < decoded.zydis.operand_count; ++i) {
      const ZydisDecodedOperand& operand = decoded.operands[i];
      if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER ||
          (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) == 0) {
        continue;
      }
      const uint8_t reg = GprNumber(operand.reg.value);
      if (reg != kNoRegister) Moved(reg, StepOf(decoded, reg));
    }
  }

  // Nothing found before is used from `instruction` on.
  void Divide(size_t instruction) {
    for (Group& group : groups_) group.open = false;
    parts_.push_back(instruction);
  }

  std::vector<SharedProbe> Finish() {
    AssignSlots();
    Divide(plan_.size());
    bool written = false;
    auto part = parts_.begin();
    for (size_t i = 0; i < plan_.size(); ++i) {
      SharedProbe& probe = plan_[i];
      if (i == *part) {
        written = false;
        ++part;
      }
      probe.miss_ends = written;
      written |= probe.opens && probe.use != MemoryUse::kRead;
    }
    return std::move(plan_);
  }

 private:
  struct Noted {
    size_t instruction;
    size_t group;
    NearAccess::Part part;
    int64_t offset;  // as Group::low
  };
  static constexpr uint8_t kNoSlot = 0xff;

  static bool Join(Group& group, const NearAccess& access) {
    const int64_t offset = access.offset + group.moved;
    const int64_t low = std::min(group.low, offset);
    const int64_t high = std::max(group.high, offset + access.bytes);
    if (high - low > kWidest) return false;
    group.low = low;
    group.high = high;
    group.writes |= access.writes;
    ++group.members;
    return true;
  }

  void Moved(uint8_t reg, std::optional<int64_t> step) {
    for (Group& group : groups_) {
      if (group.index == reg || (group.base == reg && !step)) {
        group.open = false;
      } else if (group.base == reg) {
        group.moved += *step;
      }
    }
  }

  // A probe for each group of more than one, as long as there are slots.
  void AssignSlots() {
    std::vector<uint8_t> slot_of(groups_.size(), kNoSlot);
    uint8_t slots = 0;
    for (const Noted& access : accesses_) {
      const Group& group = groups_[access.group];
      uint8_t& slot = slot_of[access.group];
      const bool opens = slot == kNoSlot;
      if (group.members < 2 || (opens && slots == kSharedProbes)) continue;
      if (opens) slot = slots++;
      plan_[access.instruction] = {.part = access.part,
                                   .opens = opens,
                                   .slot = slot,
                                   .reach = static_cast<int32_t>(access.offset - group.low),
                                   .bytes = static_cast<uint32_t>(group.high - group.low),
                                   .use = group.writes ? MemoryUse::kReadWrite : MemoryUse::kRead};
    }
  }

  std::vector<SharedProbe> plan_;
  std::vector<Noted> accesses_;
  std::vector<Group> groups_;
  std::vector<size_t> parts_;
};

}  // namespace

std::vector<SharedProbe> ShareProbes(std::span<const RunInstruction> run, Mode mode) {
  if (mode.code() != CodeMode::k64 || mode.single() || mode.unshared()) {
    return std::vector<SharedProbe>(run.size());
  }
  Sharing sharing(run.size());
  for (size_t i = 0; i < run.size(); ++i) {
    const std::optional<NearAccess> access = NearAccessOf(run[i].decoded);
    // Between STI and the next instruction no block may end.
    const bool after_sti = i > 0 && run[i - 1].decoded.zydis.mnemonic == ZYDIS_MNEMONIC_STI;
    if (after_sti) sharing.Divide(i);
    if (access && !after_sti) sharing.Note(i, *access);
    sharing.Follow(run[i].decoded);
  }
  return sharing.Finish();
}

}  // namespace hv::soft
