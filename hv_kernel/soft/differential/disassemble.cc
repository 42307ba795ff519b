#include "hv_kernel/soft/differential/disassemble.h"

#include <cstdio>

namespace hv::soft::differential {

std::string Disassemble(const std::vector<uint8_t>& bytes, uint64_t address, CodeWidth width) {
  ZydisDecoder decoder;
  if (width == CodeWidth::k64) {
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  } else {
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32);
  }
  ZydisFormatter formatter;
  ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
  std::string out;
  for (size_t at = 0; at < bytes.size();) {
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (!ZYAN_SUCCESS(
            ZydisDecoderDecodeFull(&decoder, &bytes[at], bytes.size() - at, &insn, operands))) {
      break;
    }
    char text[160];
    ZydisFormatterFormatInstruction(&formatter, &insn, operands, insn.operand_count_visible, text,
                                    sizeof(text), address + at, nullptr);
    char line[256];
    int length = std::snprintf(line, sizeof(line), "  %lx  %-48s ", address + at, text);
    out.append(line, static_cast<size_t>(length));
    for (int i = 0; i < insn.length; ++i) {
      length = std::snprintf(line, sizeof(line), "%02x ", bytes[at + static_cast<size_t>(i)]);
      out.append(line, static_cast<size_t>(length));
    }
    out += '\n';
    at += insn.length;
  }
  return out;
}

}  // namespace hv::soft::differential
