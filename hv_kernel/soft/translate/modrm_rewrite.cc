#include "hv_kernel/soft/translate/modrm_rewrite.h"

#include <cstring>

namespace hv::soft {
namespace {

constexpr uint8_t kRex = 0x40, kRexW = 8, kRexR = 4, kRexX = 2, kRexB = 1;
constexpr uint8_t kAddressSize = 0x67;
// Of a register's number what stands in ModRM and SIB; two that mean something else there.
constexpr uint8_t kLowBits = 7, kRsp = 4, kRbp = 5;
enum Mod : uint8_t { kNoDisplacement, kDisplacement8, kDisplacement32, kRegister };

bool IsSegmentOverride(uint8_t prefix) {
  switch (prefix) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65: return true;
    default: return false;
  }
}

// Registers other than those of the operand's address.
bool RegistersAreAtHome(const Decoded& decoded) {
  for (int i = 0; i < decoded.zydis.operand_count; ++i) {
    const ZydisDecodedOperand& operand = decoded.operands[i];
    if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER) continue;
    const RegisterFacts& facts = FactsOf(operand.reg.value);
    if (facts.gpr == kNoRegister) continue;
    // AH, CH, DH and BH cannot stand beside REX.
    if (facts.high_byte || InMemory(facts.gpr) || HostNumber(facts.gpr) != facts.gpr) return false;
  }
  return true;
}

// An instruction being put together.
class Encoding {
 public:
  void Add(uint8_t byte) { Add(&byte, 1); }
  void Add(const void* bytes, size_t count) {
    if (count > sizeof(bytes_) - size_) {
      fits_ = false;
      return;
    }
    std::memcpy(bytes_ + size_, bytes, count);
    size_ += count;
  }
  bool fits() const { return fits_; }
  const uint8_t* bytes() const { return bytes_; }
  size_t size() const { return size_; }

 private:
  uint8_t bytes_[kMaxInstructionBytes];
  size_t size_ = 0;
  bool fits_ = true;
};

// ModRM, and SIB and the displacement where there are any, for [base + index + displacement].
void AddOperand(const asmjit::x86::Mem& at, uint8_t reg, Encoding& to) {
  const uint8_t base = at.baseId() & kLowBits;
  const int32_t displacement = at.offsetLo32();
  const auto near = static_cast<int8_t>(displacement);
  // Without displacement that base would be none at all.
  const Mod mod = displacement == 0 && base != kRbp ? kNoDisplacement
                  : near == displacement            ? kDisplacement8
                                                    : kDisplacement32;
  const bool sib = at.hasIndex() || base == kRsp;
  to.Add(static_cast<uint8_t>(mod << 6 | reg << 3 | (sib ? kRsp : base)));
  if (sib)
    to.Add(static_cast<uint8_t>((at.hasIndex() ? at.indexId() & kLowBits : kRsp) << 3 | base));
  if (mod == kDisplacement8) to.Add(&near, sizeof(near));
  if (mod == kDisplacement32) to.Add(&displacement, sizeof(displacement));
}

uint8_t RexOf(const asmjit::x86::Mem& at) {
  const bool far_base = at.baseId() > kLowBits;
  const bool far_index = at.hasIndex() && at.indexId() > kLowBits;
  return static_cast<uint8_t>((far_base ? kRexB : 0) | (far_index ? kRexX : 0));
}

}  // namespace

bool RewriteModrm(Emission& e) {
  const Decoded& decoded = e.decoded();
  const auto& raw = decoded.zydis.raw;
  const bool has_operand =
      (decoded.zydis.attributes & ZYDIS_ATTRIB_HAS_MODRM) != 0 && raw.modrm.mod != kRegister;
  if (e.mode().code() != CodeMode::k64 || !has_operand ||
      decoded.zydis.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY || !RegistersAreAtHome(decoded)) {
    return false;
  }
  const std::span<const uint8_t> bytes = e.bytes();
  const asmjit::x86::Mem at = e.Accessed(0);
  Encoding to;
  for (int i = 0; i < raw.prefix_count; ++i) {
    const uint8_t prefix = raw.prefixes[i].value;
    const bool is_rex = (prefix & 0xf0) == kRex;
    if (!is_rex && !IsSegmentOverride(prefix) && prefix != kAddressSize) to.Add(prefix);
  }
  to.Add(kRex | (raw.rex.W != 0 ? kRexW : 0) | (raw.rex.R != 0 ? kRexR : 0) | RexOf(at));
  to.Add(bytes.data() + raw.prefix_count, raw.modrm.offset - raw.prefix_count);  // opcode
  AddOperand(at, raw.modrm.reg, to);
  const size_t sib = (decoded.zydis.attributes & ZYDIS_ATTRIB_HAS_SIB) != 0 ? 1 : 0;
  const size_t immediate = raw.modrm.offset + 1 + sib + raw.disp.size / 8;
  to.Add(bytes.data() + immediate, bytes.size() - immediate);
  if (to.fits()) e.a().embed(to.bytes(), to.size());
  return to.fits();
}

}  // namespace hv::soft
