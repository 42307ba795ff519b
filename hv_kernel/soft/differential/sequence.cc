#include "hv_kernel/soft/differential/sequence.h"

#include <algorithm>
#include <cstring>

#include "abi/vcpu_state.h"
#include "hv_kernel/soft/differential/arena.h"

namespace hv::soft::differential {
namespace {

constexpr int kTries = 256;
constexpr uint8_t kLock = 0xf0, kAddressSize = 0x67, kGsOverride = 0x65, kRep = 0xf3, kRepne = 0xf2;
constexpr size_t kMoveBytes = 10;
constexpr size_t kStoreBytes = 12;
constexpr uint8_t kFiller[] = {0x83, 0xc3, 0x01};  // add ebx, 1: what a taken branch skips
constexpr uint8_t kInt3 = 0xcc;
constexpr uint64_t kMaxRepetitions = 40;

bool IsNearBranch(const ZydisDecodedInstruction& insn) {
  switch (insn.meta.category) {
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_RET:
      return true;
    default:
      return false;
  }
}

bool IsString(const ZydisDecodedInstruction& insn) {
  return insn.meta.category == ZYDIS_CATEGORY_STRINGOP ||
         insn.meta.category == ZYDIS_CATEGORY_IOSTRINGOP;
}

bool IsBitTest(ZydisMnemonic mnemonic) {
  return mnemonic == ZYDIS_MNEMONIC_BT || mnemonic == ZYDIS_MNEMONIC_BTS ||
         mnemonic == ZYDIS_MNEMONIC_BTR || mnemonic == ZYDIS_MNEMONIC_BTC;
}

bool IsShift(const ZydisDecodedInstruction& insn) {
  return insn.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
         (insn.meta.category == ZYDIS_CATEGORY_SHIFT || insn.meta.category == ZYDIS_CATEGORY_ROTATE);
}

bool IsDivision(ZydisMnemonic mnemonic) {
  return mnemonic == ZYDIS_MNEMONIC_DIV || mnemonic == ZYDIS_MNEMONIC_IDIV;
}

bool IsVector(ZydisRegister reg) {
  const ZydisRegisterClass kind = ZydisRegisterGetClass(reg);
  return kind == ZYDIS_REGCLASS_XMM || kind == ZYDIS_REGCLASS_YMM;
}

bool IsIp(ZydisRegister reg) { return ZydisRegisterGetClass(reg) == ZYDIS_REGCLASS_IP; }

uint8_t Number(ZydisRegister reg) {
  // Zydis counts AH CH DH BH between BL and SPL.
  const int id = ZydisRegisterGetId(reg);
  if (ZydisRegisterGetClass(reg) != ZYDIS_REGCLASS_GPR8) return static_cast<uint8_t>(id);
  return static_cast<uint8_t>(id < 4 ? id : id < 8 ? id - 4 : id - 4);
}

}  // namespace

Variation Sequence::Vary(const Form& form) {
  Variation v;
  if (form.has_modrm) v.modrm = form.modrm[random_() % form.modrm.size()];
  v.sib = static_cast<uint8_t>(random_());
  v.rex_r = Roll(2);
  v.rex_x = Roll(2);
  v.rex_b = Roll(2) && form.mnemonic != ZYDIS_MNEMONIC_PAUSE;  // F3 41 90 is XCHG R8, RAX
  v.force_rex = Roll(4);
  v.vvvv = static_cast<uint8_t>(Roll(2) ? random_() % 16 : 0);
  for (uint8_t& byte : v.trailing) byte = static_cast<uint8_t>(random_());
  if (form.has_memory) {
    const uint8_t mod = static_cast<uint8_t>(random_() % 3);
    const uint8_t rm = static_cast<uint8_t>(Roll(2) ? 4 : random_() % 8);
    v.modrm = static_cast<uint8_t>((v.modrm & 0x38) | mod << 6 | rm);
    if (Roll(8)) v.extra_prefixes.push_back(kAddressSize);
    if (Roll(12)) v.extra_prefixes.push_back(kGsOverride);
    if (!form.vex && Roll(6)) v.extra_prefixes.push_back(kLock);
  }
  return v;
}

uint64_t Sequence::ChooseTarget(uint32_t bytes, bool aligned) {
  unsigned kind = static_cast<unsigned>(random_() % 100);
  // A misaligned vector operand on a page that is not there: the CPU reports the alignment, the engine
  // the page, as it looks at the address first.
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
  const uint64_t displacement = mem.disp.has_displacement ? static_cast<uint64_t>(mem.disp.value) : 0;
  uint64_t rest = target - displacement;
  const uint64_t scale = mem.scale == 0 ? 1 : mem.scale;
  if (mem.base == ZYDIS_REGISTER_NONE) {
    if (rest % scale != 0) return false;
    SetRegister(Number(mem.index), rest / scale);
  } else if (has_index && mem.base == mem.index) {
    if (rest % (scale + 1) != 0) return false;
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
  vector_index_load_ = {0xc5, static_cast<uint8_t>(reg < 8 ? 0xfe : 0x7e), 0x6f,
                        static_cast<uint8_t>((reg & 7) << 3 | 4), 0x25, 0, 0, 0, 0};
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
  if (IsShift(insn) && current_.operands[insn.operand_count_visible - 1].type ==
                           ZYDIS_OPERAND_TYPE_REGISTER && Roll(3)) {
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

void Sequence::Place(size_t offset, uint64_t value, size_t bytes) {
  std::memcpy(&current_.bytes[offset], &value, bytes);
}

void Sequence::EmitMove(const RegisterValue& move) {
  bytes_.push_back(static_cast<uint8_t>(0x48 | (move.reg >= 8)));
  bytes_.push_back(static_cast<uint8_t>(0xb8 | (move.reg & 7)));
  const auto* value = reinterpret_cast<const uint8_t*>(&move.value);
  bytes_.insert(bytes_.end(), value, value + sizeof(move.value));
}

// mov qword ptr [target], value
void Sequence::EmitStore(uint64_t target, uint32_t value) {
  bytes_.insert(bytes_.end(), {0x48, 0xc7, 0x04, 0x25});
  for (uint64_t part : {target, uint64_t{value}}) {
    const auto* at = reinterpret_cast<const uint8_t*>(&part);
    bytes_.insert(bytes_.end(), at, at + 4);
  }
}

void Sequence::EmitInstruction() {
  const ZydisDecodedInstruction& insn = current_.instruction;
  const bool branch = IsNearBranch(insn);
  const uint64_t end = address_ + bytes_.size() + moves_.size() * kMoveBytes +
                       (branch_slot_ != 0 ? kStoreBytes : 0) + vector_index_load_.size() +
                       insn.length;
  const uint64_t landing = end + sizeof(kFiller);
  if (branch) {
    const ZydisDecodedOperand& operand = current_.operands[0];
    if (operand.type == ZYDIS_OPERAND_TYPE_IMMEDIATE && operand.imm.is_relative) {
      Place(insn.raw.imm[0].offset, sizeof(kFiller), insn.raw.imm[0].size / 8u);
    } else if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER &&
               operand.visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT) {
      const uint8_t reg = Number(operand.reg.value);
      // A call through RSP would also push through it.
      for (RegisterValue& move : moves_) {
        if (move.reg == reg) move.value = landing;
      }
    }
  }
  if (rip_relative_target_ != 0) {
    Place(insn.raw.disp.offset, rip_relative_target_ - end, 4);
  }
  for (const RegisterValue& move : moves_) EmitMove(move);
  if (branch_slot_ != 0) EmitStore(branch_slot_, static_cast<uint32_t>(landing));
  bytes_.insert(bytes_.end(), vector_index_load_.begin(), vector_index_load_.end());
  bytes_.insert(bytes_.end(), current_.bytes.begin(), current_.bytes.end());
  if (branch) bytes_.insert(bytes_.end(), std::begin(kFiller), std::end(kFiller));
}

// Undefined flags are the host's choice, which may be to leave them as they were, and the engine does
// not keep what nobody may rely on. The defined ones pass through.
void Sequence::ClearUndefinedFlags() {
  const ZydisDecodedInstruction& insn = current_.instruction;
  if (insn.cpu_flags == nullptr || insn.cpu_flags->undefined == 0) return;
  if (keeps_all_flags_) return;
  EmitMove({HV_RSP, kDataFirst + kDataBytes / 2});
  bytes_.push_back(0x9c);                                      // pushfq
  bytes_.insert(bytes_.end(), {0x81, 0x24, 0x24});             // and dword ptr [rsp], ...
  const uint32_t mask = ~insn.cpu_flags->undefined;
  const auto* at = reinterpret_cast<const uint8_t*>(&mask);
  bytes_.insert(bytes_.end(), at, at + sizeof(mask));
  bytes_.push_back(0x9d);                                      // popfq
}

bool Sequence::Append(const Form& form) {
  for (int i = 0; i < kTries; ++i) {
    Variation variation = Vary(form);
    if (!Encode(form, variation, current_)) continue;
    const ZydisDecodedInstruction& insn = current_.instruction;
    const bool repeated =
        !form.prefixes.empty() && (form.prefixes.back() == kRep || form.prefixes.back() == kRepne);
    if (IsString(insn) && !repeated && Roll(2)) {
      variation.extra_prefixes = {Roll(2) ? kRep : kRepne};
      if (!Encode(form, variation, current_)) continue;
    }
    keeps_all_flags_ = false;
    moves_.clear();
    vector_index_load_.clear();
    rip_relative_target_ = 0;
    branch_slot_ = 0;
    if (IsNearBranch(insn)) {
      const ZydisDecodedOperand& operand = current_.operands[0];
      if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER &&
          operand.visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT) {
        if (Number(operand.reg.value) == HV_RSP) continue;
        SetRegister(Number(operand.reg.value), 0);  // EmitInstruction() knows the value
      }
    }
    if (AddressesByStackPointerAndMovesIt()) continue;
    if (!SetUpMemory() || !SetUpBitOffset()) continue;
    SetUpCounts();
    EmitInstruction();
    ClearUndefinedFlags();
    return true;
  }
  return false;
}

void Sequence::WarmUp() {
  for (uint64_t page = 0; page < kDataPages; ++page) {
    const uint32_t at = static_cast<uint32_t>(kDataFirst + page * kPage);
    // mov ebx, [at]; mov [at], ebx
    for (const uint8_t opcode : {0x8b, 0x89}) {
      bytes_.insert(bytes_.end(), {opcode, 0x1c, 0x25});
      const auto* bytes = reinterpret_cast<const uint8_t*>(&at);
      bytes_.insert(bytes_.end(), bytes, bytes + sizeof(at));
    }
  }
}

void Sequence::Finish() { bytes_.push_back(kInt3); }

}  // namespace hv::soft::differential
