#include "hv_kernel/soft/translate/shared_probes.h"

#include <algorithm>

#include "hv_kernel/soft/cpu.h"

namespace hv::soft {
namespace {

// A probe over more than one page's worth fails always, over a part of it as often as it is wide.
constexpr int64_t kWidest = 256;
constexpr uint8_t kNoSlot = 0xff;

}  // namespace

std::span<const SharedProbe> ProbeSharing::Plan(std::span<const RunInstruction> run, Mode mode,
                                                size_t head) {
  plan_.assign(run.size(), {});
  if (mode.code() != CodeMode::k64 || mode.single() || mode.unshared()) return plan_;
  accesses_.clear();
  groups_.clear();
  parts_.clear();
  for (size_t i = 0; i < run.size(); ++i) {
    const std::optional<NearAccess> access = NearAccessOf(run[i].decoded);
    // Between STI and the next instruction no block may end.
    const bool after_sti = i > 0 && run[i - 1].decoded.zydis.mnemonic == ZYDIS_MNEMONIC_STI;
    if (after_sti || (i == head && head != 0)) Divide(i);
    if (access && !after_sti) Note(i, *access);
    Follow(run[i].decoded);
  }
  AssignSlots();
  Divide(run.size());
  MarkMissesThatEnd();
  return plan_;
}

bool ProbeSharing::Join(Group& group, const NearAccess& access) {
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

void ProbeSharing::Note(size_t instruction, const NearAccess& access) {
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
void ProbeSharing::Follow(const Decoded& decoded) {
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

void ProbeSharing::Moved(uint8_t reg, std::optional<int64_t> step) {
  for (Group& group : groups_) {
    const int64_t times = (group.base == reg ? 1 : 0) + (group.index == reg ? group.scale : 0);
    if (times == 0) continue;
    if (step) {
      group.moved += *step * times;
    } else {
      group.open = false;
    }
  }
}

// Nothing found before is used from `instruction` on.
void ProbeSharing::Divide(size_t instruction) {
  for (Group& group : groups_) group.open = false;
  parts_.push_back(instruction);
}

// A probe for each group of more than one, as long as there are slots.
void ProbeSharing::AssignSlots() {
  slot_of_group_.assign(groups_.size(), kNoSlot);
  uint8_t slots = 0;
  for (const Noted& access : accesses_) {
    const Group& group = groups_[access.group];
    uint8_t& slot = slot_of_group_[access.group];
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

void ProbeSharing::MarkMissesThatEnd() {
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
}

}  // namespace hv::soft
