#include "hv_kernel/soft/translate/held_pages.h"

#include <algorithm>

#include "hv_kernel/soft/translate/host_registers.h"

namespace hv::soft {
namespace {

constexpr uint8_t kNoStrand = 0xff;
// What a held page spares: most of a probe, the load of a shared one's address.
constexpr uint32_t kSavedByProbe = 4, kSavedByUse = 1;
// What a register must spare, which costs two moves each time that the loop is entered and left.
constexpr uint32_t kWorthRegister = 4;
// Displacements that stay displacements when they are moved to the lowest byte of a probe.
constexpr int64_t kFarthest = int64_t{1} << 30;

bool NeedsHandler(const RunInstruction& instruction) {
  return instruction.handler.handler != nullptr;
}

}  // namespace

size_t HeldPages::HeadOf(const Run& run, Mode mode) {
  if (!mode.loop() || mode.unshared() || run.turn() == 0) return 0;
  if (run.instructions().size() < 2 * run.turn()) return 0;
  const auto turn = run.instructions().first(run.turn());
  return std::any_of(turn.begin(), turn.end(), NeedsHandler) ? 0 : run.turn();
}

void HeldPages::PlanNone(size_t instructions) {
  set_aside_ = 0;
  accesses_.assign(instructions, {});
}

void HeldPages::Plan(std::span<const RunInstruction> run, size_t head,
                     std::span<const bool> flags_live, std::span<const SharedProbe> shared) {
  PlanNone(run.size());
  head_ = head;
  registers_.Study(run.first(head));
  NoteAccesses(run, shared);
  JoinStrands(shared);
  Weigh(flags_live);
  Choose();
  if (set_aside_ != 0) Assign();
}

void HeldPages::NoteAccesses(std::span<const RunInstruction> run,
                             std::span<const SharedProbe> shared) {
  noted_.clear();
  for (size_t i = 0; i < run.size(); ++i) {
    const std::optional<NearAccess> access = NearAccessOf(run[i].decoded);
    if (!access) continue;
    const bool shares = shared[i].part == access->part;
    noted_.push_back({.instruction = i,
                      .access = *access,
                      .probes = !shares || shared[i].opens,
                      .reach = shares ? shared[i].reach : 0,
                      .bytes = shares ? shared[i].bytes : access->bytes});
  }
}

void HeldPages::JoinStrands(std::span<const SharedProbe> shared) {
  strand_of_.fill(kNoStrand);
  uint8_t strand_of_slot[kSharedProbes];
  std::fill(std::begin(strand_of_slot), std::end(strand_of_slot), kNoStrand);
  uint8_t strands = 0;
  for (const Noted& noted : noted_) {
    uint8_t& strand = strand_of_[noted.instruction % head_];
    if (strand == kNoStrand) {
      strand = strands++;
      strands_[strand] = {};
      page_of_[strand] = {};
    }
    const SharedProbe& probe = shared[noted.instruction];
    if (probe.part != noted.access.part) continue;
    if (probe.opens) {
      strand_of_slot[probe.slot] = strand;
    } else {
      // Another page's so far: that of the probe is both's.
      const uint8_t joined = strand, to = strand_of_slot[probe.slot];
      std::replace(strand_of_.begin(), strand_of_.begin() + head_, joined, to);
      std::replace(std::begin(strand_of_slot), std::end(strand_of_slot), joined, to);
    }
  }
}

// What each strand is and spares.
void HeldPages::Weigh(std::span<const bool> flags_live) {
  for (const Noted& noted : noted_) {
    const size_t in_turn = noted.instruction % head_;
    const NearAccess& access = noted.access;
    Strand& strand = StrandOf(noted);
    const RegisterSet address = RegisterBit(access.base) | RegisterBit(access.index);
    const bool far = access.offset < -kFarthest || access.offset > kFarthest;
    if ((address & registers_.erratic_before(in_turn)) != 0 || far) strand.possible = false;
    strand.writes |= access.writes;
    if ((address & registers_.written()) != 0) strand.fixed = false;
    if (noted.instruction >= head_) strand.saved += noted.probes ? kSavedByProbe : kSavedByUse;
    if (!noted.probes) continue;
    const bool live = flags_live[noted.instruction];
    const int64_t low = access.offset - noted.reach;
    const int64_t high = low + noted.bytes;
    if (!strand.filled) {
      strand.filled = true;
      strand.low = low;
      strand.high = high;
      if (live) strand.possible = false;
      continue;
    }
    strand.checks_with_flags |= live;
    if (low < strand.low || high > strand.high) strand.fixed = false;
  }
}

// A page for each strand that is worth it, those first that spare most.
void HeldPages::Choose() {
  RegisterSet free = 0;
  for (uint8_t guest = HV_RAX; guest <= HV_R15; ++guest) {
    if (!InMemory(guest)) free |= RegisterBit(guest);
  }
  free &= static_cast<RegisterSet>(~registers_.used());
  const auto take = [&] {
    const auto guest = static_cast<uint8_t>(__builtin_ctz(free));
    free &= static_cast<RegisterSet>(~RegisterBit(guest));
    set_aside_ |= RegisterBit(guest);
    return guest;
  };
  for (;;) {
    size_t best = kNoStrand;
    for (size_t i = 0; i < head_; ++i) {
      const uint8_t number = strand_of_[i];
      if (number == kNoStrand || page_of_[number].addend != kNoRegister) continue;
      const Strand& strand = strands_[number];
      if (!strand.possible || (!strand.fixed && strand.checks_with_flags) ||
          strand.saved < kWorthRegister * strand.registers() ||
          __builtin_popcount(free) < strand.registers()) {
        continue;
      }
      if (best == kNoStrand || strand.saved > strands_[best].saved) best = number;
    }
    if (best == kNoStrand) return;
    HeldPage& page = page_of_[best];
    page.use = strands_[best].writes ? MemoryUse::kReadWrite : MemoryUse::kRead;
    page.addend = take();
    if (!strands_[best].fixed) page.tag = take();
  }
}

void HeldPages::Assign() {
  for (const Noted& noted : noted_) {
    Strand& strand = StrandOf(noted);
    const HeldPage& page = page_of_[strand_of_[noted.instruction % head_]];
    if (page.addend == kNoRegister) continue;
    using Step = HeldAccess::Step;
    const bool fills = noted.instruction < head_ && strand.filled;
    strand.filled &= !fills;
    accesses_[noted.instruction] = {.part = noted.access.part,
                                    .step = fills                           ? Step::kFills
                                            : noted.probes && !strand.fixed ? Step::kChecks
                                                                            : Step::kUses,
                                    .page = page,
                                    .reach = noted.reach,
                                    .bytes = noted.bytes};
  }
}

}  // namespace hv::soft
