#include "hv_kernel/soft/report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "hv_kernel/soft/decoder.h"
#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/memory/page_walker.h"
#include "hv_kernel/soft/translate/mode.h"

namespace hv::soft {

size_t FetchForReport(const Cpu& cpu, std::span<uint8_t> bytes) {
  const uint64_t base = In64BitMode(cpu) ? 0 : cpu.segment[HV_CS].base;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const uint64_t linear = base + cpu.rip + i;
    uint64_t physical = linear & 0xffffffffu;
    if ((cpu.cr0 & kCr0Pg) != 0) {
      if (LongModeActive(cpu) && !IsCanonical(linear)) return i;
      const Translation found = WalkPageTables(cpu, *cpu.memory, linear,
                                               {.kind = AccessKind::kRead, .smap_override = true});
      if (!found.ok) return i;
      physical = found.physical;
    }
    const PhysicalPage page = cpu.memory->Find(physical);
    if (page.host == nullptr) return i;
    bytes[i] = page.host[physical & kPageOffsetMask];
  }
  return bytes.size();
}

std::string DescribeCpu(const Cpu& cpu) {
  static constexpr const char* kModes[] = {"16-bit", "32-bit", "64-bit"};
  const CodeMode mode = Mode::Of(cpu).code();
  uint8_t bytes[kMaxInstructionBytes];
  const size_t count = FetchForReport(cpu, bytes);
  std::string text =
      absl::StrFormat("%s code at %04x:%016x, CPL %d, bytes", kModes[static_cast<int>(mode)],
                      cpu.segment[HV_CS].selector, cpu.rip, PrivilegeLevel(cpu));
  for (size_t i = 0; i < count; ++i) absl::StrAppendFormat(&text, " %02x", bytes[i]);
  Decoded decoded;
  if (Decoder().Decode(mode, {bytes, count}, decoded) == DecodeResult::kOk) {
    absl::StrAppend(&text, " (", ZydisMnemonicGetString(decoded.zydis.mnemonic), ")");
  }
  return text;
}

}  // namespace hv::soft
