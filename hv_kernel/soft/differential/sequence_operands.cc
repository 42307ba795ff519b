// The operands of a random instruction: addresses inside the arena or deliberately at its edges,
// counts and divisors that let it finish.
#include <algorithm>
#include <cstring>

#include "abi/vcpu_state.h"
#include "hv_kernel/soft/differential/arena.h"
#include "hv_kernel/soft/differential/instruction_kinds.h"
#include "hv_kernel/soft/differential/sequence.h"

namespace hv::soft::differential {
namespace {

constexpr uint64_t kMaxRepetitions = 40;

}  // namespace

uint64_t Sequence::ChooseTarget(uint32_t bytes, bool aligned) {
  unsigned kind = static_cast<unsigned>(random_() % 100);
  // A misaligned vector operand on a page that is not there: the CPU reports the alignment, the
  // engine the page, as it looks at the address first.
  if (kind < 3 && bytes > 8) aligned = true;
  if (kind == 2 && aligned) kind = 1;
  const uint64_t mask = aligned ? ~uint64_t{63} : ~uint64_t{0};
  if (kind == 0) return (kReadOnlyPage + random_() % kPage) & mask;
  if (kind == 1) return (kDataFirst - 1 - random_() % 64) & mask;
  if (kind == 2) return kReadOnlyPage - random_() % (bytes + 1);
  // Far enough inside for what an instruction touches around its operand.
  uint64_t target = kDataFirst + kPage / 2 + random_() % (kDataBytes - kPage);
  if (kind < 20 && target < kReadOnlyPage - kPage) {
    target = (target | (kPage - 1)) + 1 - random_() % (bytes + 1);  // around a page's end
  }
  return target & mask;
}

void Sequence::SetRegister(uint8_t reg, uint64_t value) {
  for (const RegisterValue& move : moves_) {
    if (move.reg == reg) return;  // it has a task already
  }
  moves_.push_back({reg, value});
}

// PUSH [RSP+...] wants RSP in two places.
bool Sequence::AddressesByStackPointerAndMovesIt() const {
  bool addresses = false, moves = false;
  for (int i = 0; i < current_.instruction.operand_count; ++i) {
    const ZydisDecodedOperand& operand = current_.operands[i];
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY) continue;
    const bool by_rsp = Number(operand.mem.base) == HV_RSP && !IsIp(operand.mem.base);
    (operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN ? moves : addresses) |= by_rsp;
  }
  return addresses && moves;
}

// Makes the operand's address `target`. False when it cannot be that.
bool Sequence::Address(const ZydisDecodedOperand& operand, uint64_t target) {
  const auto& mem = operand.mem;
  if (current_.instruction.address_width == 16) return false;  // the arena is out of reach
  if (mem.segment == ZYDIS_REGISTER_GS) {
    // A 32-bit offset does not reach backwards.
    if (current_.instruction.address_width == 32 && target < kGsBase) return false;
    target -= kGsBase;
  }
  if (IsIp(mem.base)) {
    rip_relative_target_ = target;
    return target < uint64_t{1} << 31;  // an offset below GS is out of reach
  }
  const bool has_index = mem.index != ZYDIS_REGISTER_NONE && !IsVector(mem.index);
  if (mem.base == ZYDIS_REGISTER_NONE && !has_index) {
    const auto& disp = current_.instruction.raw.disp;
    if (disp.size < 32) return false;
    Place(disp.offset, target, disp.size / 8u);
    return true;
  }
  const bool narrow = mode_ == CodeWidth::k32;
  const uint64_t displacement =
      mem.disp.has_displacement ? static_cast<uint64_t>(mem.disp.value) : 0;
  uint64_t rest = target - displacement;
  const uint64_t scale = mem.scale == 0 ? 1 : mem.scale;
  if (mem.base == ZYDIS_REGISTER_NONE) {
    if (rest % scale != 0 || (narrow && rest >> 32 != 0)) return false;
    SetRegister(Number(mem.index), rest / scale);
  } else if (has_index && mem.base == mem.index) {
    if (rest % (scale + 1) != 0 || (narrow && rest >> 32 != 0)) return false;
    SetRegister(Number(mem.base), rest / (scale + 1));
  } else {
    if (has_index) {
      const uint64_t index = random_() % 256 - 128;
      SetRegister(Number(mem.index), index);
      rest -= index * scale;
    }
    // A 32-bit address takes no notice of the upper half.
    if (current_.instruction.address_width == 32 && Roll(2)) {
      rest = (rest & 0xffffffff) | random_() << 32;
    }
    SetRegister(Number(mem.base), rest);
  }
  return true;
}

// Gathers: the index vector comes from the first bytes of the arena, which hold small numbers.
bool Sequence::SetUpVectorIndex(const ZydisDecodedOperand& operand) {
  const uint8_t reg = Number(operand.mem.index);
  vector_index_load_ = {0xc5, static_cast<uint8_t>(reg < 8 ? 0xfe : 0x7e),
                        0x6f, static_cast<uint8_t>((reg & 7) << 3 | 4),
                        0x25, 0,
                        0,    0,
                        0};
  const uint32_t at = static_cast<uint32_t>(kDataFirst + random_() % 16 * 8);
  std::memcpy(&vector_index_load_[5], &at, sizeof(at));
  return true;
}

bool Sequence::SetUpMemory() {
  const ZydisDecodedInstruction& insn = current_.instruction;
  for (int i = 0; i < insn.operand_count; ++i) {
    const ZydisDecodedOperand& operand = current_.operands[i];
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY) continue;
    if (operand.mem.type == ZYDIS_MEMOP_TYPE_AGEN && Roll(2)) continue;  // LEA of anything
    if (operand.mem.segment == ZYDIS_REGISTER_FS) return false;
    const bool fixed = operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;
    const bool vector_index = IsVector(operand.mem.index);
    // What is addressed by the instruction itself may reach far around: string operations, ENTER.
    const uint64_t target = fixed || vector_index
                                ? kDataFirst + kDataBytes / 2 + (random_() % 512 & ~7ull)
                                : ChooseTarget(std::max(1, operand.size / 8), !Roll(4));
    if (IsNearBranch(insn) && operand.visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT) {
      branch_slot_ = kDataFirst + kPage + (random_() % kPage & ~7ull);
      if (!Address(operand, branch_slot_)) return false;
      continue;
    }
    if (insn.meta.category == ZYDIS_CATEGORY_RET) branch_slot_ = target;
    if (!Address(operand, target)) return false;
    traits_.crosses_page |= target % kPage + operand.size / 8u > kPage;
    if (vector_index && !SetUpVectorIndex(operand)) return false;
  }
  return true;
}

void Sequence::SetUpCounts() {
  const ZydisDecodedInstruction& insn = current_.instruction;
  if (IsString(insn)) SetRegister(HV_RCX, random_() % kMaxRepetitions);
  if (insn.mnemonic == ZYDIS_MNEMONIC_WRGSBASE) {
    SetRegister(Number(current_.operands[0].reg.value), kGsBase);  // later operands rely on it
  }
  if (insn.mnemonic == ZYDIS_MNEMONIC_LEAVE) {
    SetRegister(HV_RBP, kDataFirst + kDataBytes / 2 + random_() % 512);
  }
  if (insn.mnemonic == ZYDIS_MNEMONIC_ENTER) {
    SetRegister(HV_RBP, kDataFirst + kDataBytes / 2 + random_() % 512);
    Place(insn.raw.imm[0].offset, random_() % 512, 2);
  }
  if (insn.mnemonic == ZYDIS_MNEMONIC_CLZERO) {
    SetRegister(HV_RAX, ChooseTarget(64, false));  // Zydis does not show this operand
  }
  // A count of zero leaves all flags alone, undefined or not.
  if (IsShift(insn) &&
      current_.operands[insn.operand_count_visible - 1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
      Roll(3)) {
    SetRegister(HV_RCX, 0);
    keeps_all_flags_ = std::any_of(moves_.begin(), moves_.end(), [](const RegisterValue& move) {
      return move.reg == HV_RCX && move.value == 0;
    });
  }
  if (IsDivision(insn.mnemonic) && !Roll(4)) {
    SetRegister(HV_RDX, 0);
    SetRegister(HV_RAX, random_() % 128);
  }
}

// BT and its kin with a register reach as far as the register says.
bool Sequence::SetUpBitOffset() {
  if (!IsBitTest(current_.instruction.mnemonic)) return true;
  if (current_.operands[0].type != ZYDIS_OPERAND_TYPE_MEMORY ||
      current_.operands[1].type != ZYDIS_OPERAND_TYPE_REGISTER) {
    return true;
  }
  const uint8_t reg = Number(current_.operands[1].reg.value);
  for (const RegisterValue& move : moves_) {
    if (move.reg == reg) return false;
  }
  SetRegister(reg, random_() % 4096 - 2048);
  return true;
}

}  // namespace hv::soft::differential
