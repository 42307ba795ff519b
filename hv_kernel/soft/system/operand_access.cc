#include "hv_kernel/soft/system/operand_access.h"

#include "hv_kernel/soft/memory/linear_access.h"

namespace hv::soft {
namespace {

constexpr uint32_t kTypeWritable = 1u << 1;
constexpr uint32_t kTypeExpandDown = 1u << 2;
constexpr uint32_t kTypeCode = 1u << 3;
constexpr uint32_t kBig = 1u << 14;

// SDM vol. 3, 5.3: whether the range lies within the limit.
bool WithinLimit(const hv_segment_state& segment, uint64_t offset, uint32_t bytes) {
  const uint64_t last = offset + bytes - 1;
  const bool expand_down =
      (segment.attributes & kTypeCode) == 0 && (segment.attributes & kTypeExpandDown) != 0;
  if (!expand_down) return last <= segment.limit;
  const uint64_t top = (segment.attributes & kBig) != 0 ? 0xffffffffu : 0xffffu;
  return offset > segment.limit && last <= top;
}

bool Allows(const Cpu& cpu, const hv_segment_state& segment, bool write) {
  if ((cpu.cr0 & kCr0Pe) == 0 || (cpu.rflags & kFlagVm) != 0) return true;
  const bool code = (segment.attributes & kTypeCode) != 0;
  const bool bit1 = (segment.attributes & kTypeWritable) != 0;  // readable, for code
  if (write) return !code && bit1;
  return !code || bit1;
}

}  // namespace

uint64_t ReadGpr(const Cpu& cpu, const Operand& operand) {
  uint64_t value = cpu.gpr[operand.reg];
  if (operand.high_byte) value >>= 8;
  return value & WidthMask(operand.bytes);
}

void WriteGpr(Cpu& cpu, uint8_t reg, uint32_t bytes, uint64_t value) {
  if (bytes >= 4) {
    cpu.gpr[reg] = value & WidthMask(bytes);
  } else {
    cpu.gpr[reg] = (cpu.gpr[reg] & ~WidthMask(bytes)) | (value & WidthMask(bytes));
  }
}

void WriteGpr(Cpu& cpu, const Operand& operand, uint64_t value) {
  if (operand.high_byte) {
    cpu.gpr[operand.reg] = (cpu.gpr[operand.reg] & ~uint64_t{0xff00}) | ((value & 0xff) << 8);
  } else {
    WriteGpr(cpu, operand.reg, operand.bytes, value);
  }
}

uint64_t EffectiveOffset(const Cpu& cpu, const Instruction& insn, const Operand& operand) {
  auto offset = static_cast<uint64_t>(operand.value);
  if (operand.base == kRipRegister) {
    offset += cpu.rip + insn.length;
  } else if (operand.base != kNoRegister) {
    offset += cpu.gpr[operand.base];
  }
  if (operand.index != kNoRegister) offset += cpu.gpr[operand.index] * operand.scale;
  return offset & WidthMask(insn.address_bytes);
}

uint64_t SegmentBase(const Cpu& cpu, uint8_t segment) {
  if (In64BitMode(cpu) && segment != HV_FS && segment != HV_GS) return 0;
  return cpu.segment[segment].base;
}

Outcome Linear(Cpu& cpu, uint8_t segment, uint64_t offset, uint32_t bytes, bool write,
               uint64_t& linear) {
  linear = SegmentBase(cpu, segment) + offset;
  const Vector vector = segment == HV_SS ? Vector::kStackFault : Vector::kGeneralProtection;
  if (In64BitMode(cpu)) {
    if (IsCanonical(linear) && IsCanonical(linear + bytes - 1)) return Outcome::kDone;
    return RaiseWithCode(cpu, vector, 0);
  }
  linear &= 0xffffffffu;
  const hv_segment_state& state = cpu.segment[segment];
  const bool usable = (state.attributes & HV_SEGMENT_UNUSABLE) == 0;
  if (usable && Allows(cpu, state, write) && WithinLimit(state, offset, bytes)) {
    return Outcome::kDone;
  }
  return RaiseWithCode(cpu, vector, 0);
}

Outcome LinearOf(Cpu& cpu, const Instruction& insn, const Operand& operand, uint32_t bytes,
                 bool write, uint64_t& linear) {
  return Linear(cpu, operand.segment, EffectiveOffset(cpu, insn, operand), bytes, write, linear);
}

Outcome ReadOperand(Cpu& cpu, const Instruction& insn, const Operand& operand, uint64_t& value,
                    uint32_t bytes) {
  if (bytes == 0) bytes = operand.bytes;
  if (operand.kind == Operand::Kind::kMemory) {
    uint64_t linear;
    const Outcome outcome = LinearOf(cpu, insn, operand, bytes, false, linear);
    if (outcome != Outcome::kDone) return outcome;
    value = 0;
    return ReadLinear(cpu, linear, &value, bytes, CurrentTlbIndex(cpu), operand.segment == HV_SS);
  }
  if (operand.kind == Operand::Kind::kGpr) {
    value = ReadGpr(cpu, operand) & WidthMask(bytes);
  } else {
    value = static_cast<uint64_t>(operand.value) & WidthMask(bytes);
  }
  return Outcome::kDone;
}

Outcome WriteOperand(Cpu& cpu, const Instruction& insn, const Operand& operand, uint64_t value,
                     uint32_t bytes) {
  if (bytes == 0) bytes = operand.bytes;
  if (operand.kind == Operand::Kind::kMemory) {
    uint64_t linear;
    const Outcome outcome = LinearOf(cpu, insn, operand, bytes, true, linear);
    if (outcome != Outcome::kDone) return outcome;
    return WriteLinear(cpu, linear, &value, bytes, CurrentTlbIndex(cpu), operand.segment == HV_SS);
  }
  WriteGpr(cpu, operand, value);
  return Outcome::kDone;
}

uint32_t StackAddressBytes(const Cpu& cpu) {
  if (In64BitMode(cpu)) return 8;
  return (cpu.segment[HV_SS].attributes & kBig) != 0 ? 4 : 2;
}

Outcome Push(Cpu& cpu, uint64_t value, uint32_t bytes) {
  const uint32_t width = StackAddressBytes(cpu);
  const uint64_t offset = (cpu.gpr[HV_RSP] - bytes) & WidthMask(width);
  uint64_t linear;
  Outcome outcome = Linear(cpu, HV_SS, offset, bytes, true, linear);
  if (outcome != Outcome::kDone) return outcome;
  outcome = WriteLinear(cpu, linear, &value, bytes, CurrentTlbIndex(cpu), true);
  if (outcome == Outcome::kDone) WriteGpr(cpu, HV_RSP, width, offset);
  return outcome;
}

Outcome Pop(Cpu& cpu, uint64_t& value, uint32_t bytes) {
  const uint32_t width = StackAddressBytes(cpu);
  const uint64_t offset = cpu.gpr[HV_RSP] & WidthMask(width);
  uint64_t linear;
  Outcome outcome = Linear(cpu, HV_SS, offset, bytes, false, linear);
  if (outcome != Outcome::kDone) return outcome;
  value = 0;
  outcome = ReadLinear(cpu, linear, &value, bytes, CurrentTlbIndex(cpu), true);
  if (outcome == Outcome::kDone) WriteGpr(cpu, HV_RSP, width, offset + bytes);
  return outcome;
}

}  // namespace hv::soft
