#include "hv_kernel/soft/translate/translator.h"

#include "base/check.h"
#include "hv_kernel/soft/system/instructions.h"
#include "hv_kernel/soft/translate/families.h"
#include "hv_kernel/soft/translate/flag_liveness.h"
#include "hv_kernel/soft/translate/memory_operand.h"
#include "hv_kernel/soft/translate/re_encode.h"
#include "hv_kernel/soft/translate/shared_probes.h"

namespace hv::soft {
namespace {

// More than any block comes to.
constexpr size_t kRoomForOneBlock = 256 * 1024;

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
  if (emitted == Emitted::kNot) {
    if (const HandlerInfo handler = FindHandler(e.insn()); handler.handler != nullptr) {
      e.Leave(e.NewHandlerSite(handler));
      emitted = Emitted::kEnds;
    }
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
    done = ReEncode(e);
  }
  if (!done) {
    e.Leave(e.NewSite(LeaveKind::kUnsupported));
    ended = true;
  }
}

Translator::Result Translator::Translate(const CodeBytes& bytes, Block& block) {
  if (memory_.free() < kRoomForOneBlock) return Result::kFull;
  if (run_.Decode(decoder_, bytes, block) == Run::Result::kNeedsNextPage) {
    return Result::kNeedsNextPage;
  }
  const std::span<const RunInstruction> run = run_.instructions();
  const std::vector<bool> live = FlagsLiveBefore(run, block.mode);
  const std::vector<SharedProbe> shared = ShareProbes(run, block.mode);
  Emission e(trampolines_, sites_, memory_.next(), block.mode, block.rip,
             static_cast<uint32_t>(block.physical & kPageOffsetMask));
  block.places.clear();
  if (!block.mode.single()) e.EmitAttentionCheck(block.rip, run.empty() || live[0]);
  bool ended = false;
  for (size_t i = 0; i < run.size() && !ended; ++i) {
    e.Begin(run[i], {live[i], i + 1 < run.size(), shared[i]});
    block.places.push_back({static_cast<uint32_t>(e.a().offset()), run[i].offset});
    EmitInstruction(e, ended);
    ++instructions_;
  }
  block.bytes = run_.bytes();
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
  return Result::kOk;
}

void Translator::Place(Emission& e, Block& block) {
  asmjit::CodeHolder& code = e.code();
  CHECK(code.flatten() == asmjit::kErrorOk);
  CHECK(code.resolveUnresolvedLinks() == asmjit::kErrorOk);
  const uint64_t base = memory_.next();
  CHECK(code.relocateToBase(base) == asmjit::kErrorOk);
  const asmjit::CodeBuffer& buffer = code.textSection()->buffer();
  block.code = memory_.Append({buffer.data(), buffer.size()});
  block.code_bytes = static_cast<uint32_t>(buffer.size());
  for (const auto& [site, label] : e.resumes()) site->resume = base + code.labelOffset(label);
  for (const auto& [site, label] : e.founds()) site->found = base + code.labelOffset(label);
  for (const auto& [site, label] : e.patches()) {
    site->patch = base + code.labelOffset(label) - sizeof(int32_t);
  }
}

}  // namespace hv::soft
