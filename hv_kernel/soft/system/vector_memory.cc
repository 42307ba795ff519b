// Vector instructions that touch memory element by element, each only if its mask says so: gathers,
// VMASKMOVPS/PD, VPMASKMOVD/Q (Intel SDM vol. 2). They work on cpu.xsave.
#include <Zydis/Mnemonic.h>

#include "hv_kernel/soft/memory/bulk_copy.h"
#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/system/instructions.h"
#include "hv_kernel/soft/system/operand_access.h"

namespace hv::soft {
namespace {

// Layout of the XSAVE area (SDM vol. 1, 13.4).
constexpr size_t kXmmAt = 160;
constexpr size_t kYmmHighAt = 576;
constexpr size_t kXstateAt = 512;
constexpr size_t kHalfBytes = 16;
constexpr uint8_t kSseAndAvx = 6;

// A YMM register in the area, whose halves lie apart.
class VectorRegister {
 public:
  VectorRegister(Cpu& cpu, uint8_t number)
      : low_(cpu.xsave + kXmmAt + kHalfBytes * number),
        high_(cpu.xsave + kYmmHighAt + kHalfBytes * number) {
    cpu.xsave[kXstateAt] |= kSseAndAvx;
  }

  uint64_t Get(uint32_t element, uint32_t bytes) const {
    uint64_t value = 0;
    CopyBytes(&value, At(element * bytes), bytes);
    return value;
  }
  void Set(uint32_t element, uint32_t bytes, uint64_t value) {
    CopyBytes(At(element * bytes), &value, bytes);
  }
  bool Sign(uint32_t element, uint32_t bytes) const {
    return (Get(element, bytes) >> (8 * bytes - 1) & 1) != 0;
  }
  void ClearFrom(uint32_t offset) {
    for (; offset < 2 * kHalfBytes; ++offset) *At(offset) = 0;
  }

 private:
  uint8_t* At(uint32_t offset) const {
    return offset < kHalfBytes ? low_ + offset : high_ + (offset - kHalfBytes);
  }

  uint8_t* low_;
  uint8_t* high_;
};

struct GatherShape {
  uint32_t index_bytes;
  uint32_t data_bytes;
};

GatherShape ShapeOf(uint16_t mnemonic) {
  switch (mnemonic) {
    case ZYDIS_MNEMONIC_VPGATHERDD:
    case ZYDIS_MNEMONIC_VGATHERDPS: return {4, 4};
    case ZYDIS_MNEMONIC_VPGATHERDQ:
    case ZYDIS_MNEMONIC_VGATHERDPD: return {4, 8};
    case ZYDIS_MNEMONIC_VPGATHERQD:
    case ZYDIS_MNEMONIC_VGATHERQPS: return {8, 4};
    default: return {8, 8};
  }
}

// Element `i` of the memory operand of a masked move.
Outcome ElementAddress(Cpu& cpu, const Instruction& insn, const Operand& memory, uint32_t offset,
                       uint32_t bytes, bool write, uint64_t& linear) {
  HV_RETURN_UNLESS_DONE(LinearOf(cpu, insn, memory, 1, write, linear));
  return Linear(cpu, memory.segment, linear - SegmentBase(cpu, memory.segment) + offset, bytes,
                write, linear);
}

uint32_t MaskElementBytes(uint16_t mnemonic) {
  return mnemonic == ZYDIS_MNEMONIC_VMASKMOVPD || mnemonic == ZYDIS_MNEMONIC_VPMASKMOVQ ? 8 : 4;
}

Outcome MaskedLoad(Cpu& cpu, const Instruction& insn) {
  const Operand& memory = insn.operands[2];
  const uint32_t bytes = MaskElementBytes(insn.mnemonic);
  const uint32_t count = insn.operands[0].bytes / bytes;
  const VectorRegister mask(cpu, insn.operands[1].reg);
  uint64_t loaded[8] = {};
  for (uint32_t i = 0; i < count; ++i) {
    if (!mask.Sign(i, bytes)) continue;
    uint64_t linear;
    HV_RETURN_UNLESS_DONE(ElementAddress(cpu, insn, memory, i * bytes, bytes, false, linear));
    HV_RETURN_UNLESS_DONE(
        ReadLinear(cpu, linear, &loaded[i], bytes, CurrentTlbIndex(cpu), memory.segment == HV_SS));
  }
  VectorRegister to(cpu, insn.operands[0].reg);
  for (uint32_t i = 0; i < count; ++i) to.Set(i, bytes, loaded[i]);
  to.ClearFrom(insn.operands[0].bytes);
  return Outcome::kDone;
}

Outcome MaskedStore(Cpu& cpu, const Instruction& insn) {
  const Operand& memory = insn.operands[0];
  const uint32_t bytes = MaskElementBytes(insn.mnemonic);
  const uint32_t count = insn.operands[1].bytes / bytes;
  const VectorRegister mask(cpu, insn.operands[1].reg);
  const VectorRegister from(cpu, insn.operands[2].reg);
  const bool stack = memory.segment == HV_SS;
  // First all the elements' rights, then the elements.
  for (const bool write : {false, true}) {
    for (uint32_t i = 0; i < count; ++i) {
      if (!mask.Sign(i, bytes)) continue;
      uint64_t linear;
      HV_RETURN_UNLESS_DONE(ElementAddress(cpu, insn, memory, i * bytes, bytes, true, linear));
      if (!write) {
        HV_RETURN_UNLESS_DONE(CheckWritable(cpu, linear, bytes, CurrentTlbIndex(cpu), stack));
        continue;
      }
      const uint64_t value = from.Get(i, bytes);
      HV_RETURN_UNLESS_DONE(WriteLinear(cpu, linear, &value, bytes, CurrentTlbIndex(cpu), stack));
    }
  }
  return Outcome::kDone;
}

}  // namespace

// Operands: destination, memory with a vector for index, mask. What was gathered before an element
// faults stays, its mask cleared, so that the instruction goes on from there.
Outcome Gather(Cpu& cpu, const Instruction& insn) {
  const Operand& memory = insn.operands[1];
  const GatherShape shape = ShapeOf(insn.mnemonic);
  const uint32_t count = shape.index_bytes == 8 ? memory.index_vector_bytes / 8
                                                : insn.operands[0].bytes / shape.data_bytes;
  VectorRegister to(cpu, insn.operands[0].reg);
  VectorRegister mask(cpu, insn.operands[2].reg);
  const VectorRegister index(cpu, memory.index_vector);
  uint64_t loaded[8];
  uint32_t gathered = 0;
  Outcome outcome = Outcome::kDone;
  for (; gathered < count; ++gathered) {
    if (!mask.Sign(gathered, shape.data_bytes)) continue;
    uint64_t at = index.Get(gathered, shape.index_bytes);
    if (shape.index_bytes == 4) at = static_cast<uint64_t>(int64_t{static_cast<int32_t>(at)});
    const uint64_t offset =
        (EffectiveOffset(cpu, insn, memory) + at * memory.scale) & WidthMask(insn.address_bytes);
    uint64_t linear = 0;
    outcome = Linear(cpu, memory.segment, offset, shape.data_bytes, false, linear);
    if (outcome != Outcome::kDone) break;
    outcome = ReadLinear(cpu, linear, &loaded[gathered], shape.data_bytes, CurrentTlbIndex(cpu),
                         memory.segment == HV_SS);
    if (outcome != Outcome::kDone) break;
  }
  if (outcome == Outcome::kExit) return outcome;  // to be started again from the beginning
  for (uint32_t i = 0; i < gathered; ++i) {
    if (mask.Sign(i, shape.data_bytes)) to.Set(i, shape.data_bytes, loaded[i]);
    mask.Set(i, shape.data_bytes, 0);
  }
  if (outcome != Outcome::kDone) return outcome;
  to.ClearFrom(count * shape.data_bytes);
  mask.ClearFrom(0);
  return Outcome::kDone;
}

Outcome MaskedMove(Cpu& cpu, const Instruction& insn) {
  return insn.operands[0].kind == Operand::Kind::kMemory ? MaskedStore(cpu, insn)
                                                         : MaskedLoad(cpu, insn);
}

}  // namespace hv::soft
