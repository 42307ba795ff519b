#include "hv_kernel/soft/translate/run.h"

#include <algorithm>
#include <cstring>

#include "hv_kernel/soft/translate/families.h"

namespace hv::soft {
namespace {

constexpr size_t kLongest = 64, kLongestLoop = kLongestRun;
constexpr size_t kTurns = 4;

size_t Longest(Mode mode) { return mode.single() ? 1 : mode.loop() ? kLongestLoop : kLongest; }

bool IsConditionalJump(const Decoded& decoded) {
  switch (decoded.zydis.mnemonic) {
    case ZYDIS_MNEMONIC_JCXZ:
    case ZYDIS_MNEMONIC_JECXZ:
    case ZYDIS_MNEMONIC_JRCXZ:
    case ZYDIS_MNEMONIC_LOOP:
    case ZYDIS_MNEMONIC_LOOPE:
    case ZYDIS_MNEMONIC_LOOPNE: return false;
    default: return decoded.zydis.meta.category == ZYDIS_CATEGORY_COND_BR;
  }
}

bool IsDirectJump(const Decoded& decoded) {
  return decoded.zydis.mnemonic == ZYDIS_MNEMONIC_JMP &&
         decoded.compact.operands[0].kind == Operand::Kind::kImmediate;
}

bool EndsStraightRun(const RunInstruction& instruction, Mode mode) {
  const Decoded& decoded = instruction.decoded;
  if (instruction.handler.handler != nullptr) {
    const bool other_tlb = mode.smap() && (decoded.zydis.mnemonic == ZYDIS_MNEMONIC_CLAC ||
                                           decoded.zydis.mnemonic == ZYDIS_MNEMONIC_STAC);
    return other_tlb || !RunsInline(decoded.compact, mode, /*followed=*/true);
  }
  switch (decoded.zydis.meta.category) {
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_UNCOND_BR: return true;
    default: return false;
  }
}

}  // namespace

Run::Result Run::Decode(const Decoder& decoder, const CodeBytes& bytes, const Block& block) {
  count_ = 0;
  at_ = bytes_ = 0;
  turn_ = 0;
  ends_invalid_ = false;
  const size_t longest = Longest(block.mode);
  while (count_ < longest && at_ < bytes.first.size()) {
    const Step step = DecodeOne(decoder, bytes, block.mode);
    if (step == Step::kNeedsNextPage) return Result::kNeedsNextPage;
    if (step == Step::kStop || !GoesOn(block.mode, bytes.first.size())) break;
  }
  if (count_ != 0) instructions_[count_ - 1].onward = Onward::kOut;
  return Result::kOk;
}

Run::Step Run::DecodeOne(const Decoder& decoder, const CodeBytes& bytes, Mode mode) {
  RunInstruction& instruction = instructions_[count_++];
  Decoded& decoded = instruction.decoded;
  const uint8_t* encoded = bytes.first.data() + at_;
  DecodeResult result = decoder.Decode(mode.code(), bytes.first.subspan(at_), decoded);
  uint8_t straddling[kMaxInstructionBytes];
  if (result == DecodeResult::kTruncated) {
    if (count_ > 1) {  // it will be the first of its own block
      --count_;
      return Step::kStop;
    }
    if (bytes.second.empty()) return Step::kNeedsNextPage;
    const size_t head = bytes.first.size() - at_;
    const size_t tail = std::min(bytes.second.size(), kMaxInstructionBytes - head);
    std::memcpy(straddling, bytes.first.data() + at_, head);
    std::memcpy(straddling + head, bytes.second.data(), tail);
    result = decoder.Decode(mode.code(), {straddling, head + tail}, decoded);
    encoded = straddling;
  }
  if (result != DecodeResult::kOk) {
    --count_;
    ends_invalid_ = true;
    return Step::kStop;
  }
  if (encoded != straddling && bytes.first.size() - at_ >= kMaxInstructionBytes) {
    std::memcpy(decoded.bytes, encoded, kMaxInstructionBytes);  // one of known length is faster
  } else {
    std::memcpy(decoded.bytes, encoded, decoded.compact.length);
  }
  instruction.handler = FindHandler(decoded.compact);
  instruction.offset = at_;
  instruction.onward = Onward::kOut;
  at_ += decoded.compact.length;
  bytes_ = std::max(bytes_, at_);
  return Step::kGoOn;
}

// Moves on behind the instruction decoded last.
bool Run::GoesOn(Mode mode, size_t page_bytes) {
  RunInstruction& last = instructions_[count_ - 1];
  if (!EndsStraightRun(last, mode)) {
    last.onward = Onward::kNext;
    return true;
  }
  return mode.loop() && GoesOnInLoop(page_bytes);
}

bool Run::GoesOnInLoop(size_t page_bytes) {
  RunInstruction& last = instructions_[count_ - 1];
  const bool conditional = IsConditionalJump(last.decoded);
  if (!conditional && !IsDirectJump(last.decoded)) return false;
  const uint64_t target =
      uint64_t{at_} + static_cast<uint64_t>(last.decoded.compact.operands[0].value);
  if (target == 0) {
    if (!ComesAround()) return false;
    last.onward = Onward::kTaken;
    at_ = 0;
    return true;
  }
  if (conditional) {
    last.onward = Onward::kNext;
    return at_ < page_bytes;
  }
  if (target < at_ || target >= page_bytes) return false;
  last.onward = Onward::kTaken;
  at_ = static_cast<uint32_t>(target);
  return true;
}

// Whether another turn has room.
bool Run::ComesAround() {
  if (turn_ == 0) turn_ = count_;
  return count_ + turn_ <= std::min(kLongestLoop, kTurns * turn_);
}

}  // namespace hv::soft
