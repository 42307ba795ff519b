#include "hv_kernel/soft/translate/re_encode.h"

#include <Zydis/Zydis.h>

namespace hv::soft {
namespace {

namespace x86 = asmjit::x86;

bool IsGpr(const ZydisDecodedOperand& operand) {
  return operand.type == ZYDIS_OPERAND_TYPE_REGISTER && GprNumber(operand.reg.value) != kNoRegister;
}

// One host register standing in for a guest register that lives in Cpu::gpr.
struct StandIn {
  uint8_t guest;
  uint8_t host;
  bool written;
  bool borrowed;  // the host register holds another guest register, saved meanwhile
};

ZydisRegister HostOperand(ZydisRegister guest, uint8_t host) {
  const ZydisRegisterClass width = FactsOf(guest).kind;
  if (width != ZYDIS_REGCLASS_GPR8) return ZydisRegisterEncode(width, host);
  // Byte registers: AL CL DL BL, four high ones, SPL BPL SIL DIL, R8B ...
  return ZydisRegisterEncode(ZYDIS_REGCLASS_GPR8, host < 4 ? host : host + 4);
}

class ReEncoder {
 public:
  explicit ReEncoder(Emission& e) : e_(e), a_(e.a()) {}

  bool Run() {
    const Decoded& decoded = e_.decoded();
    if (!ZYAN_SUCCESS(ZydisEncoderDecodedInstructionToEncoderRequest(
            &decoded.zydis, decoded.operands, decoded.zydis.operand_count_visible, &request_))) {
      return false;
    }
    request_.machine_mode = ZYDIS_MACHINE_MODE_LONG_64;
    request_.prefixes &= ~ZYDIS_ATTRIB_HAS_SEGMENT;
    request_.address_size_hint = ZYDIS_ADDRESS_SIZE_HINT_NONE;
    if (!MapOperands()) return false;
    uint8_t bytes[ZYDIS_MAX_INSTRUCTION_LENGTH];
    ZyanUSize length = sizeof(bytes);
    if (!ZYAN_SUCCESS(ZydisEncoderEncodeInstruction(&request_, bytes, &length))) return false;
    if (swapped_ != kNoRegister) SwapBytes();
    a_.embed(bytes, length);
    if (swapped_ != kNoRegister) SwapBytes();
    for (int i = 0; i < count_; ++i) {
      if (stand_ins_[i].written) a_.mov(CpuGpr(stand_ins_[i].guest), Host(stand_ins_[i]));
      if (stand_ins_[i].borrowed) a_.mov(Host(stand_ins_[i]), CpuScratch(4 + i));
    }
    return true;
  }

 private:
  static x86::Gp Host(const StandIn& stand_in) { return x86::gpq(stand_in.host); }
  static ZydisRegister Register(uint32_t host) {
    return ZydisRegisterEncode(ZYDIS_REGCLASS_GPR64, static_cast<uint8_t>(host));
  }

  bool MapOperands() {
    const Decoded& decoded = e_.decoded();
    NoteUsed();
    for (int i = 0; i < decoded.zydis.operand_count_visible; ++i) {
      const ZydisDecodedOperand& operand = decoded.operands[i];
      ZydisEncoderOperand& to = request_.operands[i];
      if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY) {
        has_memory_ = true;
        PutAccessed(to);
      }
    }
    for (int i = 0; i < decoded.zydis.operand_count_visible; ++i) {
      const ZydisDecodedOperand& operand = decoded.operands[i];
      if (!IsGpr(operand)) continue;
      const uint8_t guest = GprNumber(operand.reg.value);
      ZydisRegister& to = request_.operands[i].reg.value;
      if (InMemory(guest)) {
        const int stand_in = StandInFor(guest, operand);
        if (stand_in < 0) return false;
        to = HostOperand(operand.reg.value, stand_ins_[stand_in].host);
      } else if (IsHighByte(operand.reg.value)) {
        high_byte_operand_ = i;
      } else {
        to = HostOperand(operand.reg.value, HostNumber(guest));
      }
    }
    if (high_byte_operand_ >= 0 && NeedsRex()) {
      // AH, CH, DH and BH cannot stand beside a register that needs REX: work on the low byte and
      // swap the two around it.
      const ZydisDecodedOperand& operand = decoded.operands[high_byte_operand_];
      const uint8_t guest = GprNumber(operand.reg.value);
      StandIn copy{};
      // One that is only read is better copied: CMPXCHG with AH also works on AL.
      if ((operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) == 0 && Take(kTemp1, copy)) {
        a_.rorx(kTemp1, x86::gpq(guest), 8);
        request_.operands[high_byte_operand_].reg.value = HostOperand(ZYDIS_REGISTER_AL, copy.host);
        return true;
      }
      request_.operands[high_byte_operand_].reg.value =
          ZydisRegisterEncode(ZYDIS_REGCLASS_GPR8, guest);
      swapped_ = guest;
    }
    return true;
  }

  void PutAccessed(ZydisEncoderOperand& to) {
    const x86::Mem at = e_.Accessed(0);
    to.mem.base = Register(at.baseId());
    to.mem.index = at.hasIndex() ? Register(at.indexId()) : ZYDIS_REGISTER_NONE;
    to.mem.scale = at.hasIndex() ? 1 : 0;
    to.mem.displacement = at.offsetLo32();
    used_ |= 1u << at.baseId();
    if (at.hasIndex()) used_ |= 1u << at.indexId();
  }

  bool NeedsRex() const {
    if (has_memory_ || count_ > 0) return true;
    for (int i = 0; i < e_.decoded().zydis.operand_count_visible; ++i) {
      if (IsGpr(e_.decoded().operands[i]) &&
          GprNumber(e_.decoded().operands[i].reg.value) == HV_RSP) {
        return true;
      }
    }
    return false;
  }

  void SwapBytes() {
    const x86::Gp reg = x86::gpq(swapped_);
    a_.xchg(reg.r8Hi(), reg.r8Lo());
  }

  // Host registers some operand, hidden ones included, already uses.
  void NoteUsed() {
    const Decoded& decoded = e_.decoded();
    for (int i = 0; i < decoded.zydis.operand_count; ++i) {
      const ZydisDecodedOperand& operand = decoded.operands[i];
      if (!IsGpr(operand)) continue;
      const uint8_t guest = GprNumber(operand.reg.value);
      if (!InMemory(guest)) used_ |= 1u << HostNumber(guest);
    }
  }

  int StandInFor(uint8_t guest, const ZydisDecodedOperand& operand) {
    const bool written = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
    for (int i = 0; i < count_; ++i) {
      if (stand_ins_[i].guest != guest) continue;
      stand_ins_[i].written |= written;
      return i;
    }
    if (count_ == static_cast<int>(std::size(stand_ins_))) return -1;
    StandIn& stand_in = stand_ins_[count_];
    stand_in = {.guest = guest, .host = 0, .written = written, .borrowed = false};
    if (has_memory_) used_ |= 1u << kTemp0.id();
    if (!Take(kTemp0, stand_in) && !Take(kTemp1, stand_in) && !Borrow(stand_in)) return -1;
    a_.mov(Host(stand_in), CpuGpr(guest));
    return count_++;
  }

  bool Take(const x86::Gp& temp, StandIn& stand_in) {
    if ((used_ & (1u << temp.id())) != 0) return false;
    used_ |= 1u << temp.id();
    stand_in.host = static_cast<uint8_t>(temp.id());
    return true;
  }

  bool Borrow(StandIn& stand_in) {
    for (uint8_t guest = HV_RAX; guest <= HV_R14; ++guest) {
      if (InMemory(guest) || guest == HV_RSP) continue;
      if ((used_ & (1u << HostNumber(guest))) != 0) continue;
      used_ |= 1u << HostNumber(guest);
      stand_in.host = HostNumber(guest);
      stand_in.borrowed = true;
      a_.mov(CpuScratch(4 + count_), x86::gpq(stand_in.host));
      return true;
    }
    return false;
  }

  Emission& e_;
  x86::Assembler& a_;
  ZydisEncoderRequest request_{};
  StandIn stand_ins_[3];
  int count_ = 0;
  uint32_t used_ = 0;
  bool has_memory_ = false;
  int high_byte_operand_ = -1;
  uint8_t swapped_ = kNoRegister;
};

}  // namespace

bool ReEncode(Emission& e) { return ReEncoder(e).Run(); }

bool CanCopy(const Emission& e) {
  if (e.mode().code() != CodeMode::k64) return false;
  const Decoded& decoded = e.decoded();
  for (int i = 0; i < decoded.zydis.operand_count; ++i) {
    const ZydisDecodedOperand& operand = decoded.operands[i];
    if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY) return false;
    if (!IsGpr(operand)) continue;
    const uint8_t guest = GprNumber(operand.reg.value);
    if (InMemory(guest) || guest == HV_RSP) return false;
  }
  return true;
}

}  // namespace hv::soft
