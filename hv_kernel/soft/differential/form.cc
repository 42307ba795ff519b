#include "hv_kernel/soft/differential/form.h"

#include <cstdio>
#include <map>
#include <set>

namespace hv::soft::differential {
namespace {

const ZydisDecoder& Decoder(bool compatibility) {
  static const ZydisDecoder wide = [] {
    ZydisDecoder made;
    ZydisDecoderInit(&made, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    return made;
  }();
  static const ZydisDecoder narrow = [] {
    ZydisDecoder made;
    ZydisDecoderInit(&made, ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32);
    return made;
  }();
  return compatibility ? narrow : wide;
}

constexpr uint8_t kMemoryRm = 4;
constexpr uint8_t kRegisterMod = 0xc0;
constexpr uint8_t kPlainSib = 0x08;  // [rax+rcx]: gathers want an index other than the mask

std::vector<uint8_t> Assemble(const Form& form, const Variation& v) {
  std::vector<uint8_t> out = v.extra_prefixes;
  if (form.vex) {
    // VEX carries the mandatory prefix in two bits (SDM vol. 2, 2.3.6.2).
    const uint8_t p = form.prefixes.empty()      ? 0
                      : form.prefixes[0] == 0x66 ? 1
                      : form.prefixes[0] == 0xf3 ? 2
                                                 : 3;
    const uint8_t last =
        static_cast<uint8_t>(form.wide << 7 | (~v.vvvv & 15) << 3 | form.vector_length << 2 | p);
    if (form.map == 1 && !form.wide && !v.rex_x && !v.rex_b && !v.force_rex) {
      out.push_back(0xc5);
      out.push_back(static_cast<uint8_t>(!v.rex_r << 7 | (last & 0x7f)));
    } else {
      out.push_back(0xc4);
      out.push_back(static_cast<uint8_t>(!v.rex_r << 7 | !v.rex_x << 6 | !v.rex_b << 5 | form.map));
      out.push_back(last);
    }
  } else {
    out.insert(out.end(), form.prefixes.begin(), form.prefixes.end());
    const uint8_t rex =
        static_cast<uint8_t>(form.wide << 3 | v.rex_r << 2 | v.rex_x << 1 | v.rex_b);
    if (rex != 0 || v.force_rex) out.push_back(0x40 | rex);
    if (form.map >= 1) out.push_back(0x0f);
    if (form.map == 2) out.push_back(0x38);
    if (form.map == 3) out.push_back(0x3a);
  }
  out.push_back(form.opcode);
  if (form.has_modrm) {
    out.push_back(v.modrm);
    if (v.modrm < kRegisterMod && (v.modrm & 7) == kMemoryRm) out.push_back(v.sib);
  }
  out.insert(out.end(), std::begin(v.trailing), std::end(v.trailing));
  if (out.size() > ZYDIS_MAX_INSTRUCTION_LENGTH) out.resize(ZYDIS_MAX_INSTRUCTION_LENGTH);
  return out;
}

// What tells forms of one opcode apart.
std::string Signature(const Encoded& e) {
  std::string key = std::to_string(e.instruction.mnemonic);
  for (int i = 0; i < e.instruction.operand_count; ++i) {
    const ZydisDecodedOperand& operand = e.operands[i];
    key += ',' + std::to_string(operand.type) + ':' + std::to_string(operand.size) + ':' +
           std::to_string(operand.encoding) + ':' + std::to_string(operand.visibility);
    if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER) continue;
    key += ':' + std::to_string(ZydisRegisterGetClass(operand.reg.value));
    if (operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN) {
      key += ':' + std::to_string(operand.reg.value);
    }
  }
  return key;
}

class Catalogue {
 public:
  void TryOpcode(Form form) {
    Encoded encoded;
    for (int modrm = 0; modrm < 256; ++modrm) {
      const bool memory = modrm < kRegisterMod;
      // One way of addressing stands for all.
      if (memory && (modrm > 0x3f || (modrm & 7) != kMemoryRm)) continue;
      form.has_modrm = true;
      Variation variation;
      variation.modrm = static_cast<uint8_t>(modrm);
      variation.sib = kPlainSib;
      if (!Encode(form, variation, encoded)) continue;
      form.has_modrm = (encoded.instruction.attributes & ZYDIS_ATTRIB_HAS_MODRM) != 0;
      // Moves to and from control and debug registers take any mod as a register.
      form.has_memory = form.has_modrm && memory && HasMemoryOperand(encoded);
      if (form.has_modrm && memory && !form.has_memory) continue;
      Add(form, static_cast<uint8_t>(modrm), encoded);
      if (!form.has_modrm) return;
    }
  }

  std::vector<Form> Take() { return std::move(forms_); }

 private:
  static bool HasMemoryOperand(const Encoded& encoded) {
    for (int i = 0; i < encoded.instruction.operand_count; ++i) {
      if (encoded.operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
          encoded.operands[i].encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM) {
        return true;
      }
    }
    return false;
  }

  void Add(const Form& form, uint8_t modrm, const Encoded& encoded) {
    std::string key = std::to_string(form.vex) + '/' + std::to_string(form.map) + '/' +
                      std::to_string(form.opcode) + '/' + std::to_string(form.has_memory) + '/' +
                      Signature(encoded);
    const auto [at, is_new] = index_.emplace(std::move(key), forms_.size());
    if (is_new) {
      forms_.push_back(form);
      forms_.back().mnemonic = encoded.instruction.mnemonic;
      forms_.back().extension = encoded.instruction.meta.isa_ext;
    }
    Form& known = forms_[at->second];
    if (known.prefixes != form.prefixes || known.wide != form.wide ||
        known.vector_length != form.vector_length) {
      return;  // a prefix that changes nothing
    }
    if (known.has_modrm) known.modrm.push_back(modrm);
  }

  std::map<std::string, size_t> index_;
  std::vector<Form> forms_;
};

}  // namespace

bool Encode(const Form& form, const Variation& variation, Encoded& out) {
  out.bytes = Assemble(form, variation);
  if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&Decoder(form.compatibility), out.bytes.data(),
                                           out.bytes.size(), &out.instruction, out.operands))) {
    return false;
  }
  out.bytes.resize(out.instruction.length);
  // Base 101 with mod 00 is a displacement alone; Zydis 4.0 takes it for R13D with 32-bit
  // addresses.
  for (ZydisDecodedOperand& operand : out.operands) {
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY || operand.mem.base != ZYDIS_REGISTER_R13D)
      continue;
    if (out.instruction.raw.modrm.mod != 0) continue;
    operand.mem.base = ZYDIS_REGISTER_NONE;
    operand.mem.disp.has_displacement = ZYAN_TRUE;
    operand.mem.disp.value = out.instruction.raw.disp.value;
  }
  return form.mnemonic == ZYDIS_MNEMONIC_INVALID || form.mnemonic == out.instruction.mnemonic;
}

std::vector<Form> AllForms(CodeWidth width) {
  const bool narrow = width == CodeWidth::k32;
  Catalogue catalogue;
  const std::vector<uint8_t> prefix_sets[] = {{},     {0x66},       {0xf3},
                                              {0xf2}, {0x66, 0xf3}, {0x66, 0xf2}};
  for (uint8_t map = 0; map < 4; ++map) {
    for (int opcode = 0; opcode < 256; ++opcode) {
      // Prefixes, and the bytes that begin VEX, EVEX and XOP encodings, are not opcodes. (In 32-bit
      // code the latter are also LES, LDS and BOUND: see integration_tests/guest_code.)
      static const std::set<int> kNotOpcodes = {0x0f, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66,
                                                0x67, 0xf0, 0xf2, 0xf3, 0xc4, 0xc5, 0x62};
      if (map == 0 && !narrow && (opcode & 0xf0) == 0x40) continue;
      if (map == 0 && kNotOpcodes.contains(opcode)) continue;
      if (map == 1 && (opcode == 0x38 || opcode == 0x3a || opcode == 0x0f)) continue;
      for (const auto& prefixes : prefix_sets) {
        for (const bool wide : {false, true}) {
          if (wide && narrow && map == 0) continue;
          if (!wide || !narrow) {
            catalogue.TryOpcode({.compatibility = narrow,
                                 .prefixes = prefixes,
                                 .wide = wide,
                                 .map = map,
                                 .opcode = static_cast<uint8_t>(opcode)});
          }
          if (map == 0 || prefixes.size() > 1) continue;
          for (const uint8_t length : {0, 1}) {
            catalogue.TryOpcode({.compatibility = narrow,
                                 .vex = true,
                                 .prefixes = prefixes,
                                 .wide = wide,
                                 .vector_length = length,
                                 .map = map,
                                 .opcode = static_cast<uint8_t>(opcode)});
          }
        }
      }
    }
  }
  return catalogue.Take();
}

std::string Form::Name() const {
  static const char* const kMaps[] = {"", "0f ", "0f38 ", "0f3a "};
  char opcode_text[4];
  std::snprintf(opcode_text, sizeof(opcode_text), "%02x", opcode);
  std::string name = ZydisMnemonicGetString(mnemonic);
  if (compatibility) name += " 32-bit";
  name += vex ? " vex " : " ";
  for (uint8_t prefix : prefixes) name += prefix == 0x66 ? "66 " : prefix == 0xf3 ? "f3 " : "f2 ";
  name += kMaps[map];
  name += opcode_text;
  if (wide) name += " w";
  if (vector_length != 0) name += " l";
  if (has_modrm && modrm.size() < 8) name += " /" + std::to_string(modrm[0] >> 3 & 7);
  name += has_memory ? " m" : " r";
  return name;
}

}  // namespace hv::soft::differential
