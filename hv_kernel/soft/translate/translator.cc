#include "hv_kernel/soft/translate/translator.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "hv_kernel/soft/system/instructions.h"
#include "hv_kernel/soft/translate/families.h"
#include "hv_kernel/soft/translate/flag_liveness.h"
#include "hv_kernel/soft/translate/re_encode.h"

namespace hv::soft {
namespace {

constexpr size_t kLongestRun = 64;
// More than any block of kLongestRun instructions comes to.
constexpr size_t kRoomForOneBlock = 256 * 1024;

bool EndsRun(const Decoded& decoded) {
  if (FindHandler(decoded.compact).handler != nullptr) return true;
  switch (decoded.zydis.meta.category) {
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_UNCOND_BR: return true;
    default: return false;
  }
}

bool HasMemoryOperand(const Emission& e, const Operand*& operand, MemoryUse& use, uint32_t& bytes) {
  const Decoded& decoded = e.decoded();
  for (int i = 0; i < decoded.zydis.operand_count_visible; ++i) {
    const ZydisDecodedOperand& zydis = decoded.operands[i];
    if (zydis.type != ZYDIS_OPERAND_TYPE_MEMORY) continue;
    operand = &decoded.compact.operands[i];
    bytes = zydis.size / 8;
    // x87 stores nothing when it finds an exception that is not masked; what was there must stay.
    const bool may_hold_back = decoded.zydis.meta.category == ZYDIS_CATEGORY_X87_ALU;
    const bool reads = (zydis.actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0 || may_hold_back;
    const bool writes = (zydis.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
    use = !writes ? MemoryUse::kRead : reads ? MemoryUse::kReadWrite : MemoryUse::kWrite;
    return true;
  }
  return false;
}

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

void EmitHandlerCall(Emission& e, HandlerInfo handler) {
  LeaveSite& site = e.NewSite(LeaveKind::kHandler);
  site.handler = handler;
  site.insn = e.insn();
  e.Leave(site);
}

}  // namespace

Translator::Result Translator::DecodeRun(const CodeBytes& bytes, const Block& block) {
  run_.clear();
  ends_invalid_ = false;
  const size_t limit = block.mode.single() ? 1 : kLongestRun;
  size_t at = 0;
  uint8_t straddling[kMaxInstructionBytes];
  while (run_.size() < limit && at < bytes.first.size()) {
    Decoded& decoded = run_.emplace_back();
    const uint8_t* result_bytes = bytes.first.data() + at;
    DecodeResult result = decoder_.Decode(block.mode.code(), bytes.first.subspan(at), decoded);
    if (result == DecodeResult::kTruncated) {
      if (run_.size() > 1) {  // it will be the first of its own block
        run_.pop_back();
        break;
      }
      if (bytes.second.empty()) return Result::kNeedsNextPage;
      const size_t head = bytes.first.size() - at;
      const size_t tail = std::min(bytes.second.size(), kMaxInstructionBytes - head);
      std::memcpy(straddling, bytes.first.data() + at, head);
      std::memcpy(straddling + head, bytes.second.data(), tail);
      result = decoder_.Decode(block.mode.code(), {straddling, head + tail}, decoded);
      result_bytes = straddling;
    }
    if (result != DecodeResult::kOk) {
      run_.pop_back();
      ends_invalid_ = true;
      break;
    }
    std::memcpy(decoded.bytes, result_bytes, decoded.compact.length);
    at += decoded.compact.length;
    if (EndsRun(decoded)) break;
  }
  return Result::kOk;
}

void Translator::EmitInstruction(Emission& e, bool& ended) {
  Emitted emitted = EmitUnavailable(e);
  if (emitted == Emitted::kNot) emitted = EmitTimeStamp(e);
  if (emitted == Emitted::kNot) {
    if (const HandlerInfo handler = FindHandler(e.insn()); handler.handler != nullptr) {
      EmitHandlerCall(e, handler);
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
    const Operand* operand = nullptr;
    MemoryUse use = MemoryUse::kRead;
    uint32_t bytes = 0;
    if (HasMemoryOperand(e, operand, use, bytes)) e.EmitOperandAccess(*operand, bytes, use);
    done = ReEncode(e);
  }
  if (!done) {
    e.Leave(e.NewSite(LeaveKind::kUnsupported));
    ended = true;
  }
}

Translator::Result Translator::Translate(const CodeBytes& bytes, Block& block) {
  if (memory_.free() < kRoomForOneBlock) return Result::kFull;
  if (const Result result = DecodeRun(bytes, block); result != Result::kOk) return result;
  const std::vector<bool> live = FlagsLiveBefore(run_);
  Emission e(trampolines_, sites_, memory_.next(), block.mode, block.rip,
             static_cast<uint32_t>(block.physical & kPageOffsetMask));
  block.places.clear();
  uint64_t rip = block.rip;
  if (!block.mode.single()) e.EmitAttentionCheck(rip, run_.empty() || live[0]);
  bool ended = false;
  for (size_t i = 0; i < run_.size() && !ended; ++i) {
    e.Begin(run_[i], rip, live[i]);
    block.places.push_back(
        {static_cast<uint32_t>(e.a().offset()), static_cast<uint32_t>(rip - block.rip)});
    EmitInstruction(e, ended);
    rip = e.next_rip();
    ++instructions_;
  }
  block.bytes = static_cast<uint32_t>(rip - block.rip);
  if (!ended && ends_invalid_) {
    LeaveSite& site = e.NewSite(LeaveKind::kException);
    site.rip = rip;
    site.vector = static_cast<uint8_t>(Vector::kInvalidOpcode);
    e.Leave(site);
    block.bytes += kMaxInstructionBytes;  // what made it invalid may be rewritten
  } else if (!ended) {
    e.JumpTo(rip);
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
  for (const auto& [site, label] : e.patches()) {
    site->patch = base + code.labelOffset(label) - sizeof(int32_t);
  }
}

}  // namespace hv::soft
