// The one memory operand that re-encoded instructions have.
#pragma once

#include <optional>

#include "hv_kernel/soft/decoder.h"
#include "hv_kernel/soft/translate/leave_site.h"

namespace hv::soft {

struct MemoryOperand {
  int number;  // among the visible operands
  MemoryUse use;
  uint32_t bytes;
};

inline std::optional<MemoryOperand> MemoryOperandOf(const Decoded& decoded) {
  for (int i = 0; i < decoded.zydis.operand_count_visible; ++i) {
    const ZydisDecodedOperand& operand = decoded.operands[i];
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY) continue;
    // x87 stores nothing when it finds an exception that is not masked; what was there must stay.
    const bool may_hold_back = decoded.zydis.meta.category == ZYDIS_CATEGORY_X87_ALU;
    const bool reads = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0 || may_hold_back;
    const bool writes = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
    return MemoryOperand{.number = i,
                         .use = !writes ? MemoryUse::kRead
                                : reads ? MemoryUse::kReadWrite
                                        : MemoryUse::kWrite,
                         .bytes = operand.size / 8u};
  }
  return std::nullopt;
}

}  // namespace hv::soft
