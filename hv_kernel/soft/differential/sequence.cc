#include "hv_kernel/soft/differential/sequence.h"

#include <cstring>
#include <iterator>

#include "abi/vcpu_state.h"
#include "hv_kernel/soft/differential/arena.h"
#include "hv_kernel/soft/differential/instruction_kinds.h"

namespace hv::soft::differential {
namespace {

constexpr int kTries = 256;
constexpr uint8_t kLock = 0xf0, kAddressSize = 0x67, kGsOverride = 0x65, kRep = 0xf3, kRepne = 0xf2;
constexpr uint8_t kFiller[] = {0x83, 0xc3, 0x01};  // add ebx, 1: what a taken branch skips
constexpr uint8_t kInt3 = 0xcc;

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
  if (form.compatibility) {
    v.rex_r = v.rex_x = v.rex_b = v.force_rex = false;
    v.vvvv &= 7;
  }
  if (form.has_memory) {
    const uint8_t mod = static_cast<uint8_t>(random_() % 3);
    const uint8_t rm = static_cast<uint8_t>(Roll(2) ? 4 : random_() % 8);
    v.modrm = static_cast<uint8_t>((v.modrm & 0x38) | mod << 6 | rm);
    if (Roll(8) && !form.compatibility) v.extra_prefixes.push_back(kAddressSize);
    if (Roll(12)) {
      // The others' bases are zero, in 64-bit mode by definition. FS is this process's thread
      // pointer.
      static constexpr uint8_t kOverrides[] = {0x26, 0x2e, 0x36, 0x3e, 0x65};
      const uint8_t override = kOverrides[random_() % std::size(kOverrides)];
      // GS holds a null selector: nothing for 32-bit code.
      if (override != kGsOverride || !form.compatibility) v.extra_prefixes.push_back(override);
    }
    if (!form.vex && Roll(6)) v.extra_prefixes.push_back(kLock);
  }
  return v;
}

void Sequence::Place(size_t offset, uint64_t value, size_t bytes) {
  std::memcpy(&current_.bytes[offset], &value, bytes);
}

void Sequence::EmitMove(const RegisterValue& move) {
  const bool narrow = mode_ == CodeWidth::k32;
  if (!narrow) bytes_.push_back(static_cast<uint8_t>(0x48 | (move.reg >= 8)));
  bytes_.push_back(static_cast<uint8_t>(0xb8 | (move.reg & 7)));
  const auto* value = reinterpret_cast<const uint8_t*>(&move.value);
  bytes_.insert(bytes_.end(), value, value + (narrow ? 4 : 8));
}

// mov [target], value: eight bytes, four in 32-bit code
void Sequence::EmitStore(uint64_t target, uint32_t value) {
  if (mode_ == CodeWidth::k64) bytes_.push_back(0x48);
  bytes_.insert(bytes_.end(), {0xc7, 0x04, 0x25});
  for (uint64_t part : {target, uint64_t{value}}) {
    const auto* at = reinterpret_cast<const uint8_t*>(&part);
    bytes_.insert(bytes_.end(), at, at + 4);
  }
}

void Sequence::EmitInstruction() {
  const ZydisDecodedInstruction& insn = current_.instruction;
  const bool branch = IsNearBranch(insn);
  const bool narrow = mode_ == CodeWidth::k32;
  const size_t move_bytes = narrow ? 5 : 10;
  const size_t store_bytes = branch_slot_ == 0 ? 0 : narrow ? 11 : 12;
  const uint64_t end = address_ + bytes_.size() + moves_.size() * move_bytes + store_bytes +
                       vector_index_load_.size() + insn.length;
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

// Undefined flags are the host's choice, which may be to leave them as they were, and the engine
// does not keep what nobody may rely on. The defined ones pass through.
void Sequence::ClearUndefinedFlags() {
  const ZydisDecodedInstruction& insn = current_.instruction;
  if (insn.cpu_flags == nullptr || insn.cpu_flags->undefined == 0) return;
  if (keeps_all_flags_) return;
  EmitMove({HV_RSP, kDataFirst + kDataBytes / 2});
  bytes_.push_back(0x9c);                           // pushfq
  bytes_.insert(bytes_.end(), {0x81, 0x24, 0x24});  // and dword ptr [rsp], ...
  const uint32_t mask = ~insn.cpu_flags->undefined;
  const auto* at = reinterpret_cast<const uint8_t*>(&mask);
  bytes_.insert(bytes_.end(), at, at + sizeof(mask));
  bytes_.push_back(0x9d);  // popfq
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
    traits_ = {
        .locked = (insn.attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0,
        .overrides_segment = (insn.attributes & ZYDIS_ATTRIB_HAS_SEGMENT) != 0,
        .narrow_address = form.has_memory && (insn.attributes & ZYDIS_ATTRIB_HAS_ADDRESSSIZE) != 0,
        .crosses_page = false};
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
