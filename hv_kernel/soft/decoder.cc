#include "hv_kernel/soft/decoder.h"

namespace hv::soft {
namespace {

// Zydis numbers byte registers AL CL DL BL AH CH DH BH SPL BPL SIL DIL R8B ... R15B.
constexpr int kFirstHighByteId = 4;
constexpr int kFirstRexByteId = 8;

RegisterFacts LookUp(ZydisRegister reg) {
  RegisterFacts facts{.kind = ZydisRegisterGetClass(reg),
                      .id = static_cast<uint8_t>(ZydisRegisterGetId(reg)),
                      .gpr = kNoRegister,
                      .high_byte = false};
  switch (facts.kind) {
    case ZYDIS_REGCLASS_GPR8:
      facts.gpr = facts.id < kFirstRexByteId ? facts.id % 4 : facts.id - kFirstRexByteId + 4;
      facts.high_byte = facts.id >= kFirstHighByteId && facts.id < kFirstRexByteId;
      break;
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64: facts.gpr = facts.id; break;
    default: break;
  }
  return facts;
}

AllRegisterFacts FactsOfAll() {
  AllRegisterFacts facts;
  for (size_t i = 0; i < facts.size(); ++i) facts[i] = LookUp(static_cast<ZydisRegister>(i));
  return facts;
}

uint8_t SegmentNumber(ZydisRegister reg) {
  switch (reg) {
    case ZYDIS_REGISTER_ES: return HV_ES;
    case ZYDIS_REGISTER_CS: return HV_CS;
    case ZYDIS_REGISTER_SS: return HV_SS;
    case ZYDIS_REGISTER_FS: return HV_FS;
    case ZYDIS_REGISTER_GS: return HV_GS;
    default: return HV_DS;
  }
}

void FillRegister(const ZydisDecodedOperand& from, Operand& to) {
  const ZydisRegister reg = from.reg.value;
  const RegisterFacts& facts = FactsOf(reg);
  switch (facts.kind) {
    case ZYDIS_REGCLASS_GPR8:
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
      to.kind = Operand::Kind::kGpr;
      to.reg = facts.gpr;
      to.high_byte = facts.high_byte;
      break;
    case ZYDIS_REGCLASS_SEGMENT:
      to.kind = Operand::Kind::kSegment;
      to.reg = SegmentNumber(reg);
      break;
    case ZYDIS_REGCLASS_CONTROL:
      to.kind = Operand::Kind::kControl;
      to.reg = facts.id;
      break;
    case ZYDIS_REGCLASS_DEBUG:
      to.kind = Operand::Kind::kDebug;
      to.reg = facts.id;
      break;
    case ZYDIS_REGCLASS_XMM:
    case ZYDIS_REGCLASS_YMM:
      to.kind = Operand::Kind::kVector;
      to.reg = facts.id;
      break;
    default: to.kind = Operand::Kind::kOther;
  }
}

void FillMemory(const ZydisDecodedOperand& from, Operand& to) {
  to.kind = Operand::Kind::kMemory;
  to.segment = SegmentNumber(from.mem.segment);
  const RegisterFacts& base = FactsOf(from.mem.base);
  const RegisterFacts& index = FactsOf(from.mem.index);
  to.base = base.kind == ZYDIS_REGCLASS_IP ? kRipRegister : base.gpr;
  to.index = index.gpr;
  to.scale = from.mem.scale;
  if (from.mem.type == ZYDIS_MEMOP_TYPE_VSIB) {
    to.index_vector = index.id;
    to.index_vector_bytes = index.kind == ZYDIS_REGCLASS_YMM ? 32 : 16;
  }
  to.value = from.mem.disp.has_displacement ? from.mem.disp.value : 0;
}

void Fill(const ZydisDecodedOperand& from, Operand& to) {
  to = {};
  to.bytes = static_cast<uint8_t>(from.size / 8);
  switch (from.type) {
    case ZYDIS_OPERAND_TYPE_REGISTER: FillRegister(from, to); break;
    case ZYDIS_OPERAND_TYPE_MEMORY: FillMemory(from, to); break;
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
      to.kind = Operand::Kind::kImmediate;
      to.value = static_cast<int64_t>(from.imm.value.u);
      break;
    case ZYDIS_OPERAND_TYPE_POINTER:
      to.kind = Operand::Kind::kFar;
      to.value = from.ptr.offset;
      to.far_selector = from.ptr.segment;
      break;
    default: to.kind = Operand::Kind::kNone;
  }
}

// Their operands' segment can be chosen all the same.
bool HidesOperands(const ZydisDecodedInstruction& zydis) {
  return zydis.meta.category == ZYDIS_CATEGORY_STRINGOP ||
         zydis.meta.category == ZYDIS_CATEGORY_IOSTRINGOP || zydis.mnemonic == ZYDIS_MNEMONIC_XLAT;
}

// A SIB byte with base 101 and mod 00 means a displacement and no base, whatever REX.B says (SDM
// vol. 2, table 2-3). Zydis 4.0 takes it for R13D with 32-bit addresses.
bool HasNoBase(const ZydisDecodedInstruction& zydis, const ZydisDecodedOperand& operand) {
  return operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.mem.base == ZYDIS_REGISTER_R13D &&
         operand.encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM && zydis.raw.modrm.mod == 0 &&
         zydis.raw.modrm.rm == 4;
}

}  // namespace

const AllRegisterFacts kRegisterFacts = FactsOfAll();

Decoder::Decoder() {
  ZydisDecoderInit(&decoders_[0], ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
  ZydisDecoderInit(&decoders_[1], ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
  ZydisDecoderInit(&decoders_[2], ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  // Encodings hv's CPUs do not have: their bytes are NOPs or older instructions there.
  for (ZydisDecoder& decoder : decoders_) {
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
  }
}

DecodeResult Decoder::Decode(CodeMode mode, std::span<const uint8_t> bytes, Decoded& out) const {
  const ZydisDecoder& decoder = decoders_[static_cast<int>(mode)];
  ZydisDecoderContext context;
  ZyanStatus status =
      ZydisDecoderDecodeInstruction(&decoder, &context, bytes.data(), bytes.size(), &out.zydis);
  if (ZYAN_SUCCESS(status)) {
    status = ZydisDecoderDecodeOperands(&decoder, &context, &out.zydis, out.operands,
                                        out.zydis.operand_count);
  }
  if (status == ZYDIS_STATUS_NO_MORE_DATA && bytes.size() < kMaxInstructionBytes) {
    return DecodeResult::kTruncated;
  }
  if (!ZYAN_SUCCESS(status)) return DecodeResult::kInvalid;
  const ZydisDecodedInstruction& zydis = out.zydis;
  Instruction& compact = out.compact;
  compact = {};
  compact.mnemonic = static_cast<uint16_t>(zydis.mnemonic);
  compact.length = zydis.length;
  compact.operand_bytes = static_cast<uint8_t>(zydis.operand_width / 8);
  compact.address_bytes = static_cast<uint8_t>(zydis.address_width / 8);
  compact.opcode = zydis.opcode;
  compact.mode = mode;
  compact.rep = (zydis.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE)) != 0;
  compact.repne = (zydis.attributes & ZYDIS_ATTRIB_HAS_REPNE) != 0;
  compact.lock = (zydis.attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0;
  const int operands = HidesOperands(zydis) ? zydis.operand_count : zydis.operand_count_visible;
  for (int i = 0; i < operands && i < Instruction::kMaxOperands; ++i) {
    Fill(out.operands[i], compact.operands[i]);
    if (HasNoBase(zydis, out.operands[i])) {
      compact.operands[i].base = kNoRegister;
      compact.operands[i].value = zydis.raw.disp.value;
    }
    compact.operand_count = static_cast<uint8_t>(i + 1);
  }
  return DecodeResult::kOk;
}

}  // namespace hv::soft
