// Instructions that 64-bit mode, and so the host, does not have: decimal adjustments, BOUND, ARPL,
// SALC (Intel SDM vol. 2).
#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/system/instructions.h"
#include "hv_kernel/soft/system/operand_access.h"
#include "hv_kernel/soft/system/segments.h"

namespace hv::soft {
namespace {

uint8_t Al(const Cpu& cpu) { return static_cast<uint8_t>(cpu.gpr[HV_RAX]); }
uint8_t Ah(const Cpu& cpu) { return static_cast<uint8_t>(cpu.gpr[HV_RAX] >> 8); }
void SetAx(Cpu& cpu, uint8_t ah, uint8_t al) {
  WriteGpr(cpu, HV_RAX, 2, static_cast<uint64_t>(ah) << 8 | al);
}

// SF, ZF and PF of a byte, with CF and AF as given and OF clear.
void SetFlags(Cpu& cpu, uint8_t result, bool carry, bool adjust) {
  uint64_t flags = 0;
  if (carry) flags |= kFlagCf;
  if (adjust) flags |= kFlagAf;
  if (result == 0) flags |= kFlagZf;
  if ((result & 0x80) != 0) flags |= kFlagSf;
  if (__builtin_parity(result) == 0) flags |= kFlagPf;
  cpu.rflags = (cpu.rflags & ~kArithmeticFlags) | flags;
}

// Whether the lower digit of AL is out of range after an addition or subtraction.
bool LowDigitOverflows(const Cpu& cpu) {
  return (Al(cpu) & 0xf) > 9 || (cpu.rflags & kFlagAf) != 0;
}

// AAA and AAS: `sign` is the direction of the adjustment.
Outcome AdjustUnpacked(Cpu& cpu, int sign) {
  const bool adjust = LowDigitOverflows(cpu);
  auto ax = static_cast<uint16_t>(cpu.gpr[HV_RAX]);
  if (adjust) ax = static_cast<uint16_t>(ax + sign * 0x106);
  SetAx(cpu, static_cast<uint8_t>(ax >> 8), ax & 0xf);
  SetFlags(cpu, Al(cpu), adjust, adjust);
  return Outcome::kDone;
}

// DAA and DAS.
Outcome AdjustPacked(Cpu& cpu, int sign) {
  const uint8_t old = Al(cpu);
  const bool old_carry = (cpu.rflags & kFlagCf) != 0;
  const bool adjust = LowDigitOverflows(cpu);
  const bool high = old > 0x99 || old_carry;
  const int low_step = adjust ? 6 : 0;
  // The step on the lower digit may itself carry or borrow.
  const bool wraps = sign > 0 ? old + low_step > 0xff : old < low_step;
  const auto result = static_cast<uint8_t>(old + sign * (low_step + (high ? 0x60 : 0)));
  WriteGpr(cpu, HV_RAX, 1, result);
  SetFlags(cpu, result, high || (adjust && (old_carry || wraps)), adjust);
  return Outcome::kDone;
}

int64_t Signed(uint64_t value, uint32_t bytes) {
  return bytes == 2 ? int64_t{static_cast<int16_t>(value)} : int64_t{static_cast<int32_t>(value)};
}

}  // namespace

Outcome Aaa(Cpu& cpu, const Instruction&) { return AdjustUnpacked(cpu, 1); }
Outcome Aas(Cpu& cpu, const Instruction&) { return AdjustUnpacked(cpu, -1); }
Outcome Daa(Cpu& cpu, const Instruction&) { return AdjustPacked(cpu, 1); }
Outcome Das(Cpu& cpu, const Instruction&) { return AdjustPacked(cpu, -1); }

Outcome Aam(Cpu& cpu, const Instruction& insn) {
  const auto base = static_cast<uint8_t>(insn.operands[0].value);
  if (base == 0) return Raise(cpu, Vector::kDivideError);
  const uint8_t al = Al(cpu);
  SetAx(cpu, al / base, al % base);
  SetFlags(cpu, Al(cpu), false, false);
  return Outcome::kDone;
}

Outcome Aad(Cpu& cpu, const Instruction& insn) {
  const auto base = static_cast<uint8_t>(insn.operands[0].value);
  SetAx(cpu, 0, static_cast<uint8_t>(Al(cpu) + Ah(cpu) * base));
  SetFlags(cpu, Al(cpu), false, false);
  return Outcome::kDone;
}

Outcome Salc(Cpu& cpu, const Instruction&) {
  WriteGpr(cpu, HV_RAX, 1, (cpu.rflags & kFlagCf) != 0 ? 0xff : 0);
  return Outcome::kDone;
}

Outcome Bound(Cpu& cpu, const Instruction& insn) {
  const uint32_t bytes = insn.operand_bytes;
  uint64_t linear;
  HV_RETURN_UNLESS_DONE(LinearOf(cpu, insn, insn.operands[1], 2 * bytes, false, linear));
  uint64_t bounds = 0;
  HV_RETURN_UNLESS_DONE(ReadLinear(cpu, linear, &bounds, 2 * bytes, CurrentTlbIndex(cpu)));
  const int64_t index = Signed(ReadGpr(cpu, insn.operands[0]), bytes);
  const bool inside =
      index >= Signed(bounds, bytes) && index <= Signed(bounds >> (8 * bytes), bytes);
  return inside ? Outcome::kDone : Raise(cpu, Vector::kBoundRange);
}

Outcome Arpl(Cpu& cpu, const Instruction& insn) {
  if (RealMode(cpu) || (cpu.rflags & kFlagVm) != 0) return Raise(cpu, Vector::kInvalidOpcode);
  uint64_t to;
  uint64_t from;
  HV_RETURN_UNLESS_DONE(ReadOperand(cpu, insn, insn.operands[0], to, 2));
  HV_RETURN_UNLESS_DONE(ReadOperand(cpu, insn, insn.operands[1], from, 2));
  const bool raise = (to & 3) < (from & 3);
  if (raise) {
    HV_RETURN_UNLESS_DONE(WriteOperand(cpu, insn, insn.operands[0], (to & ~3u) | (from & 3), 2));
  }
  cpu.rflags = raise ? cpu.rflags | kFlagZf : cpu.rflags & ~kFlagZf;
  return Outcome::kDone;
}

}  // namespace hv::soft
