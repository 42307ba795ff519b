// MOVS, STOS, LODS, CMPS, SCAS with and without REP (Intel SDM vol. 2, REP). REP MOVS and REP STOS
// go a page at a time; every instruction can be interrupted between iterations with exact RCX, RSI,
// RDI.
#include "hv_kernel/soft/memory/bulk_copy.h"
#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/memory/tlb.h"
#include "hv_kernel/soft/system/instructions.h"
#include "hv_kernel/soft/system/operand_access.h"

namespace hv::soft {
namespace {

// Iterations done before the guest is given a chance to take an interrupt.
constexpr uint64_t kIterationsAtOnce = 65536;

// The state of a string instruction: widths, registers, direction.
class StringOp {
 public:
  StringOp(Cpu& cpu, const Instruction& insn)
      : cpu_(cpu),
        address_mask_(WidthMask(insn.address_bytes)),
        address_bytes_(insn.address_bytes),
        repeated_(insn.rep || insn.repne),
        bytes_((insn.opcode & 1) == 0 ? 1 : insn.operand_bytes),
        source_segment_(HV_DS),
        index_(CurrentTlbIndex(cpu)) {
    for (int i = 0; i < insn.operand_count; ++i) {
      const Operand& operand = insn.operands[i];
      if (operand.kind == Operand::Kind::kMemory && operand.base == HV_RSI) {
        source_segment_ = operand.segment;
      }
    }
  }

  uint32_t bytes() const { return bytes_; }
  bool forward() const { return (cpu_.rflags & kFlagDf) == 0; }
  uint64_t count() const { return repeated_ ? cpu_.gpr[HV_RCX] & address_mask_ : 1; }

  Outcome SourceAddress(uint64_t& linear, uint32_t bytes) {
    return Linear(cpu_, source_segment_, cpu_.gpr[HV_RSI] & address_mask_, bytes, false, linear);
  }
  Outcome TargetAddress(uint64_t& linear, uint32_t bytes, bool write) {
    return Linear(cpu_, HV_ES, cpu_.gpr[HV_RDI] & address_mask_, bytes, write, linear);
  }
  Outcome ReadSource(uint64_t& value) {
    uint64_t linear;
    HV_RETURN_UNLESS_DONE(SourceAddress(linear, bytes_));
    value = 0;
    return ReadLinear(cpu_, linear, &value, bytes_, index_);
  }
  Outcome ReadTarget(uint64_t& value) {
    uint64_t linear;
    HV_RETURN_UNLESS_DONE(TargetAddress(linear, bytes_, false));
    value = 0;
    return ReadLinear(cpu_, linear, &value, bytes_, index_);
  }
  Outcome WriteTarget(uint64_t value) {
    uint64_t linear;
    HV_RETURN_UNLESS_DONE(TargetAddress(linear, bytes_, true));
    return WriteLinear(cpu_, linear, &value, bytes_, index_);
  }

  void Step(uint8_t reg, uint64_t iterations = 1) {
    const uint64_t delta = iterations * bytes_;
    WriteGpr(cpu_, reg, address_bytes_, forward() ? cpu_.gpr[reg] + delta : cpu_.gpr[reg] - delta);
  }
  void CountDown(uint64_t iterations = 1) {
    if (repeated_) WriteGpr(cpu_, HV_RCX, address_bytes_, cpu_.gpr[HV_RCX] - iterations);
    // Answers of devices belong to the iteration that asked.
    RetireDeviceReads(cpu_);
  }
  // Whether something of this iteration comes before the next one: a device write that has to
  // leave, a trap.
  bool MustLeave() const {
    return cpu_.write_count != 0 || cpu_.breakpoint_hits != 0 || cpu_.single_step;
  }

  // Iterations that stay inside the page of `linear`, at most `wanted`.
  uint64_t InPage(uint64_t linear, uint64_t wanted) const {
    const uint64_t room = (kPageBytes - (linear & kPageOffsetMask)) / bytes_;
    return wanted < room ? wanted : room;
  }

  // Host memory for `iterations` forward from a linear address inside one page of RAM; null when it
  // has to go the slow way (crossing, device, ROM, code page).
  uint8_t* Direct(uint64_t linear, bool write) { return FindInTlb(cpu_, index_, linear, 1, write); }
  TlbIndex index() const { return index_; }

 private:
  Cpu& cpu_;
  uint64_t address_mask_;
  uint32_t address_bytes_;
  bool repeated_;
  uint32_t bytes_;
  uint8_t source_segment_;
  TlbIndex index_;
};

// The instruction comes again while its count is not used up; a breakpoint on it does not (SDM vol.
// 3, 17.3.1.1).
Outcome Again(Cpu& cpu, const StringOp& op) {
  if (op.count() == 0) return Outcome::kDone;
  cpu.next_rip = cpu.rip;
  cpu.rflags |= kFlagRf;
  return Outcome::kDone;
}

void FillWith(uint8_t* to, uint64_t value, uint32_t bytes, uint64_t iterations) {
  switch (bytes) {
    case 1: asm volatile("rep stosb" : "+D"(to), "+c"(iterations) : "a"(value) : "memory"); break;
    case 2: asm volatile("rep stosw" : "+D"(to), "+c"(iterations) : "a"(value) : "memory"); break;
    case 4: asm volatile("rep stosl" : "+D"(to), "+c"(iterations) : "a"(value) : "memory"); break;
    default: asm volatile("rep stosq" : "+D"(to), "+c"(iterations) : "a"(value) : "memory");
  }
}

// Copies element by element, so that overlapping ranges come out as the guest's own REP MOVS would
// make them.
void CopyElements(uint8_t* to, const uint8_t* from, uint32_t bytes, uint64_t iterations) {
  switch (bytes) {
    case 1: asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(iterations) : : "memory"); break;
    case 2: asm volatile("rep movsw" : "+D"(to), "+S"(from), "+c"(iterations) : : "memory"); break;
    case 4: asm volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(iterations) : : "memory"); break;
    default: asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(iterations) : : "memory");
  }
}

// SUB's flags for CMPS and SCAS.
void SetCompareFlags(Cpu& cpu, uint64_t left, uint64_t right, uint32_t bytes) {
  const uint64_t mask = WidthMask(bytes);
  const uint64_t sign = (mask >> 1) + 1;
  const uint64_t difference = (left - right) & mask;
  uint64_t flags = 0;
  if (left < right) flags |= kFlagCf;
  if (difference == 0) flags |= kFlagZf;
  if ((difference & sign) != 0) flags |= kFlagSf;
  if (((left ^ right) & (left ^ difference) & sign) != 0) flags |= kFlagOf;
  if (((left ^ right ^ difference) & 0x10) != 0) flags |= kFlagAf;
  if (__builtin_parity(static_cast<unsigned>(difference & 0xff)) == 0) flags |= kFlagPf;
  cpu.rflags = (cpu.rflags & ~kArithmeticFlags) | flags;
}

bool StopsComparing(const Cpu& cpu, const Instruction& insn) {
  const bool equal = (cpu.rflags & kFlagZf) != 0;
  return insn.repne ? equal : insn.rep ? !equal : false;
}

}  // namespace

Outcome Movs(Cpu& cpu, const Instruction& insn) {
  StringOp op(cpu, insn);
  for (uint64_t done = 0; op.count() != 0 && done < kIterationsAtOnce;) {
    uint64_t from = 0;
    uint64_t to = 0;
    HV_RETURN_UNLESS_DONE(op.SourceAddress(from, op.bytes()));
    HV_RETURN_UNLESS_DONE(op.TargetAddress(to, op.bytes(), true));
    uint64_t iterations = cpu.single_step ? 1 : op.InPage(from, op.InPage(to, op.count()));
    const uint8_t* source = op.Direct(from, false);
    uint8_t* target = op.Direct(to, true);
    const bool fast = op.forward() && iterations > 0 && source != nullptr && target != nullptr &&
                      In64BitMode(cpu);
    if (fast) {
      CopyElements(target, source, op.bytes(), iterations);
    } else {
      iterations = 1;
      uint64_t value;
      HV_RETURN_UNLESS_DONE(op.ReadSource(value));
      HV_RETURN_UNLESS_DONE(op.WriteTarget(value));
    }
    op.Step(HV_RSI, iterations);
    op.Step(HV_RDI, iterations);
    op.CountDown(iterations);
    if (!insn.rep && !insn.repne) return Outcome::kDone;
    if (op.MustLeave()) break;
    done += iterations;
  }
  return Again(cpu, op);
}

Outcome Stos(Cpu& cpu, const Instruction& insn) {
  StringOp op(cpu, insn);
  for (uint64_t done = 0; op.count() != 0 && done < kIterationsAtOnce;) {
    uint64_t to = 0;
    HV_RETURN_UNLESS_DONE(op.TargetAddress(to, op.bytes(), true));
    uint64_t iterations = cpu.single_step ? 1 : op.InPage(to, op.count());
    uint8_t* target = op.Direct(to, true);
    if (op.forward() && iterations > 0 && target != nullptr && In64BitMode(cpu)) {
      FillWith(target, cpu.gpr[HV_RAX], op.bytes(), iterations);
    } else {
      iterations = 1;
      HV_RETURN_UNLESS_DONE(op.WriteTarget(cpu.gpr[HV_RAX]));
    }
    op.Step(HV_RDI, iterations);
    op.CountDown(iterations);
    if (!insn.rep && !insn.repne) return Outcome::kDone;
    if (op.MustLeave()) break;
    done += iterations;
  }
  return Again(cpu, op);
}

Outcome Lods(Cpu& cpu, const Instruction& insn) {
  StringOp op(cpu, insn);
  for (uint64_t done = 0; op.count() != 0 && done < kIterationsAtOnce; ++done) {
    uint64_t value;
    HV_RETURN_UNLESS_DONE(op.ReadSource(value));
    WriteGpr(cpu, HV_RAX, op.bytes(), value);
    op.Step(HV_RSI);
    op.CountDown();
    if (!insn.rep && !insn.repne) return Outcome::kDone;
    if (op.MustLeave()) break;
  }
  return Again(cpu, op);
}

Outcome Cmps(Cpu& cpu, const Instruction& insn) {
  StringOp op(cpu, insn);
  for (uint64_t done = 0; op.count() != 0 && done < kIterationsAtOnce; ++done) {
    uint64_t left, right;
    HV_RETURN_UNLESS_DONE(op.ReadSource(left));
    HV_RETURN_UNLESS_DONE(op.ReadTarget(right));
    SetCompareFlags(cpu, left, right, op.bytes());
    op.Step(HV_RSI);
    op.Step(HV_RDI);
    op.CountDown();
    if ((!insn.rep && !insn.repne) || StopsComparing(cpu, insn)) return Outcome::kDone;
    if (op.MustLeave()) break;
  }
  return Again(cpu, op);
}

Outcome Scas(Cpu& cpu, const Instruction& insn) {
  StringOp op(cpu, insn);
  for (uint64_t done = 0; op.count() != 0 && done < kIterationsAtOnce; ++done) {
    uint64_t value;
    HV_RETURN_UNLESS_DONE(op.ReadTarget(value));
    SetCompareFlags(cpu, cpu.gpr[HV_RAX] & WidthMask(op.bytes()), value, op.bytes());
    op.Step(HV_RDI);
    op.CountDown();
    if ((!insn.rep && !insn.repne) || StopsComparing(cpu, insn)) return Outcome::kDone;
    if (op.MustLeave()) break;
  }
  return Again(cpu, op);
}

}  // namespace hv::soft
