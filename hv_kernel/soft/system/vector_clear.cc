// VZEROUPPER and VZEROALL outside 64-bit mode, where they clear the eight registers that there are;
// the host's own would clear sixteen (Intel SDM vol. 2).
#include <Zydis/Mnemonic.h>

#include "hv_kernel/soft/memory/bulk_copy.h"
#include "hv_kernel/soft/system/instructions.h"

namespace hv::soft {
namespace {

// Layout of the XSAVE area (SDM vol. 1, 13.4).
constexpr size_t kXmmAt = 160;
constexpr size_t kYmmHighAt = 576;
constexpr size_t kBytesOfEight = 8 * 16;

}  // namespace

Outcome ClearVectors(Cpu& cpu, const Instruction& insn) {
  FillBytes(cpu.xsave + kYmmHighAt, 0, kBytesOfEight);
  if (insn.mnemonic == ZYDIS_MNEMONIC_VZEROALL) FillBytes(cpu.xsave + kXmmAt, 0, kBytesOfEight);
  return Outcome::kDone;
}

}  // namespace hv::soft
