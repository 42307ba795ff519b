#include "hv_kernel/soft/translate/translator.h"

#include "base/check.h"
#include "hv_kernel/soft/translate/families.h"
#include "hv_kernel/soft/translate/flag_liveness.h"
#include "hv_kernel/soft/translate/memory_operand.h"
#include "hv_kernel/soft/translate/modrm_rewrite.h"
#include "hv_kernel/soft/translate/re_encode.h"
#include "hv_kernel/soft/translate/shared_probes.h"

namespace hv::soft {
namespace {

static_assert(Translator::kRoom <= kMaxBlockCodeBytes);

// Hidden memory operands (MASKMOVDQU and the like) and vector-indexed ones have no place to go.
bool HasOtherMemory(const Decoded& decoded) {
  for (int i = 0; i < decoded.zydis.operand_count; ++i) {
    const ZydisDecodedOperand& operand = decoded.operands[i];
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY) continue;
    if (i >= decoded.zydis.operand_count_visible || i >= Instruction::kMaxOperands) return true;
    if (operand.mem.type == ZYDIS_MEMOP_TYPE_VSIB) return true;
  }
  return false;
}

}  // namespace

void Translator::EmitInstruction(Emission& e, bool& ended) {
  Emitted emitted = EmitUnavailable(e);
  if (emitted == Emitted::kNot) emitted = EmitTimeStamp(e);
  if (emitted == Emitted::kNot) emitted = EmitSystemState(e);
  if (emitted == Emitted::kNot) emitted = EmitSystemCall(e);
  if (emitted == Emitted::kNot) emitted = EmitString(e);
  if (emitted == Emitted::kNot && e.handler().handler != nullptr) {
    e.Leave(e.NewHandlerSite());
    emitted = Emitted::kEnds;
  }
  if (emitted == Emitted::kNot) emitted = EmitBranch(e);
  if (emitted == Emitted::kNot) emitted = EmitStack(e);
  if (emitted == Emitted::kNot) emitted = EmitAddressing(e);
  if (emitted != Emitted::kNot) {
    ended = emitted == Emitted::kEnds;
    return;
  }
  bool done = false;
  if (CanCopy(e)) {
    e.a().embed(e.bytes().data(), e.bytes().size());
    done = true;
  } else if (!HasOtherMemory(e.decoded())) {
    if (const auto memory = MemoryOperandOf(e.decoded())) {
      e.EmitOperandAccess(e.insn().operands[memory->number], memory->bytes, memory->use);
    }
    done = RewriteModrm(e) || ReEncode(e);
  }
  if (!done) {
    e.Leave(e.NewSite(LeaveKind::kUnsupported));
    ended = true;
  }
}

// Which accesses share probes, and which of them hold pages.
Translator::Probes Translator::PlanProbes(std::span<const bool> flags_live, Mode mode) {
  const std::span<const RunInstruction> run = run_.instructions();
  if (const size_t head = HeldPages::HeadOf(run_, mode); head != 0) {
    const std::span<const SharedProbe> shared = probe_sharing_.Plan(run, mode, head);
    held_pages_.Plan(run, head, flags_live, shared);
    if (held_pages_.set_aside() != 0) return {.shared = shared, .head = head};
  }
  held_pages_.PlanNone(run.size());
  return {.shared = probe_sharing_.Plan(run, mode)};
}

bool Translator::Translate(const CodeBytes& bytes, Block& block) {
  if (run_.Decode(decoder_, bytes, block) == Run::Result::kNeedsNextPage) return false;
  const std::span<const RunInstruction> run = run_.instructions();
  const std::span<const bool> live = flag_liveness_.Before(run, block.mode);
  const auto [shared, head] = PlanProbes(live, block.mode);
  const uint64_t sites = records_.sites.end();
  const uint64_t links = records_.links.end();
  const uint64_t handled = records_.handled.end();
  Emission e(emission_memory_, trampolines_, records_, block);
  e.EmitInto({memory_.Writable(memory_.next()), kRoom}, memory_.next());
  if (head != 0) e.SetAside(held_pages_.set_aside());
  if (!block.mode.single()) e.EmitAttentionCheck(block.rip, run.empty() || live[0]);
  bool ended = false;
  for (size_t i = 0; i < run.size() && !ended; ++i) {
    e.Begin(run[i], {live[i], i + 1 < run.size(), shared[i], held_pages_.of(i)});
    if (i == head && head != 0) e.BeginTurns();
    records_.places.Add(
        {.host_offset = static_cast<uint32_t>(e.a().offset()), .rip_offset = run[i].offset});
    EmitInstruction(e, ended);
    ++instructions_;
  }
  block.bytes = run_.bytes();
  block.set_aside = held_pages_.set_aside();
  // A run of 16- or 32-bit code may wrap.
  const uint64_t end = run.empty() ? block.rip : e.WrapRip(block.rip + run_.end());
  if (!ended && run_.ends_invalid()) {
    LeaveSite& site = e.NewSite(LeaveKind::kException);
    site.rip = end;
    site.vector = static_cast<uint8_t>(Vector::kInvalidOpcode);
    e.Leave(site);
    block.bytes += kMaxInstructionBytes;  // what made it invalid may be rewritten
  } else if (!ended) {
    e.JumpTo(end);
  }
  const asmjit::Label link = e.a().newLabel();
  const bool reaches_across = block.physical_next_page != 0 && !block.mode.single();
  if (reaches_across) {
    e.a().bind(link);
    e.LoadImmediate(kTemp0, block.rip);
    e.JumpToTemp0();
  }
  e.EmitLater();
  Place(e, block);
  block.link_code = reaches_across ? block.code + e.code().labelOffset(link) : block.code;
  block.places = static_cast<uint32_t>(records_.places.end() - block.first_place);
  block.sites = static_cast<uint32_t>(records_.sites.end() - sites);
  block.links = static_cast<uint32_t>(records_.links.end() - links);
  block.handled = static_cast<uint32_t>(records_.handled.end() - handled);
  return true;
}

void Translator::Place(Emission& e, Block& block) {
  asmjit::CodeHolder& code = e.code();
  CHECK(code.flatten() == asmjit::kErrorOk);
  CHECK(code.resolveUnresolvedLinks() == asmjit::kErrorOk);
  const uint64_t base = memory_.next();
  CHECK(code.relocateToBase(base) == asmjit::kErrorOk);
  block.code = base;
  block.code_bytes = static_cast<uint32_t>(code.textSection()->buffer().size());
  // Short of its end the assembler would have left out what did not fit.
  CHECK(block.code_bytes < kRoom / 2);
  memory_.Append(block.code_bytes);
}

}  // namespace hv::soft
