#include "hv_kernel/soft/translate/modrm_rewrite.h"

#include <cstring>

namespace hv::soft {
namespace {

constexpr uint8_t kRex = 0x40, kRexW = 8, kRexR = 4, kRexB = 1;
constexpr uint8_t kAddressSize = 0x67;
constexpr uint8_t kR10 = 2;  // in ModRM.rm, with REX.B
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

void AddOperand(int32_t reach, uint8_t reg, Encoding& to) {
  const auto modrm = [&](Mod mod) { return static_cast<uint8_t>(mod << 6 | reg << 3 | kR10); };
  if (reach == 0) return to.Add(modrm(kNoDisplacement));
  if (const auto near = static_cast<int8_t>(reach); near == reach) {
    to.Add(modrm(kDisplacement8));
    return to.Add(&near, sizeof(near));
  }
  to.Add(modrm(kDisplacement32));
  to.Add(&reach, sizeof(reach));
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
  Encoding to;
  for (int i = 0; i < raw.prefix_count; ++i) {
    const uint8_t prefix = raw.prefixes[i].value;
    const bool is_rex = (prefix & 0xf0) == kRex;
    if (!is_rex && !IsSegmentOverride(prefix) && prefix != kAddressSize) to.Add(prefix);
  }
  to.Add(kRex | (raw.rex.W != 0 ? kRexW : 0) | (raw.rex.R != 0 ? kRexR : 0) | kRexB);
  to.Add(bytes.data() + raw.prefix_count, raw.modrm.offset - raw.prefix_count);  // opcode
  AddOperand(e.reach(), raw.modrm.reg, to);
  const size_t sib = (decoded.zydis.attributes & ZYDIS_ATTRIB_HAS_SIB) != 0 ? 1 : 0;
  const size_t immediate = raw.modrm.offset + 1 + sib + raw.disp.size / 8;
  to.Add(bytes.data() + immediate, bytes.size() - immediate);
  if (to.fits()) e.a().embed(to.bytes(), to.size());
  return to.fits();
}

}  // namespace hv::soft
