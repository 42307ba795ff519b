#include "vcpu_svc/msr_table.h"

namespace hv::vcpu {
namespace {

constexpr uint64_t kAll = UINT64_MAX;
constexpr uint64_t kMtrrTypes = 0x0707070707070707;
constexpr uint64_t kMtrrWriteBack = 6 | 1u << 11;   // default type WB, enabled
constexpr uint64_t kMtrrCap = 8 | 1u << 8 | 1u << 10;  // eight variable ranges, fixed, WC
constexpr uint64_t kMiscEnable = 1u << 0 | 1u << 11 | 1u << 12;  // fast strings; no BTS, no PEBS

constexpr MsrRow kRows[] = {
    // Both vendors.
    {0x3b, 1, 0, kAll, WriteRule::kMasked, Vendor::kAny, true, "TSC_ADJUST"},
    {0x8b, 1, 0x100000000, 0, WriteRule::kIgnore, Vendor::kAny, false, "PATCH_LEVEL"},
    {0xfe, 1, kMtrrCap, 0, WriteRule::kReadOnly, Vendor::kAny, false, "MTRRcap"},
    {0x179, 1, 0, 0, WriteRule::kReadOnly, Vendor::kAny, false, "MCG_CAP"},
    {0x17a, 1, 0, kAll, WriteRule::kMasked, Vendor::kAny, true, "MCG_STATUS"},
    {0x200, 16, 0, kAll, WriteRule::kMasked, Vendor::kAny, true, "MTRRphysBase and Mask"},
    {0x250, 1, 0x0606060606060606, kMtrrTypes, WriteRule::kMasked, Vendor::kAny, true,
     "MTRRfix64K"},
    {0x258, 2, 0x0606060606060606, kMtrrTypes, WriteRule::kMasked, Vendor::kAny, true,
     "MTRRfix16K"},
    {0x268, 8, 0x0606060606060606, kMtrrTypes, WriteRule::kMasked, Vendor::kAny, true,
     "MTRRfix4K"},
    {0x2ff, 1, kMtrrWriteBack, 0xc07, WriteRule::kMasked, Vendor::kAny, true, "MTRRdefType"},
    {0x1d9, 1, 0, 0, WriteRule::kIgnore, Vendor::kAny, false, "DEBUGCTL"},
    {0x48, 1, 0, 0x7, WriteRule::kMasked, Vendor::kAny, true, "SPEC_CTRL"},
    {0x49, 1, 0, 0, WriteRule::kIgnore, Vendor::kAny, false, "PRED_CMD"},
    // Intel.
    {0x17, 1, 0, 0, WriteRule::kReadOnly, Vendor::kIntel, false, "PLATFORM_ID"},
    {0x3a, 1, 1, 0, WriteRule::kReadOnly, Vendor::kIntel, false, "FEATURE_CONTROL"},
    {0xce, 1, 0, 0, WriteRule::kReadOnly, Vendor::kIntel, false, "PLATFORM_INFO"},
    {0x1a0, 1, kMiscEnable, kAll, WriteRule::kMasked, Vendor::kIntel, true, "MISC_ENABLE"},
    {0x140, 1, 0, 0, WriteRule::kIgnore, Vendor::kIntel, false, "MISC_FEATURES_ENABLES"},
    {0x34, 1, 0, 0, WriteRule::kReadOnly, Vendor::kIntel, false, "SMI_COUNT"},
    {0x606, 1, 0, 0, WriteRule::kReadOnly, Vendor::kIntel, false, "RAPL_POWER_UNIT"},
    // AMD.
    {0xc0010010, 1, 0, 0, WriteRule::kIgnore, Vendor::kAmd, false, "SYSCFG"},
    // TscFreqSel: the TSC counts at the P0 frequency.
    {0xc0010015, 1, 1u << 24, 0, WriteRule::kIgnore, Vendor::kAmd, false, "HWCR"},
    {0xc001001a, 1, 0, 0, WriteRule::kIgnore, Vendor::kAmd, false, "TOP_MEM"},
    {0xc001001d, 1, 0, 0, WriteRule::kIgnore, Vendor::kAmd, false, "TOP_MEM2"},
    {0xc001001f, 1, 0, 0, WriteRule::kIgnore, Vendor::kAmd, false, "NB_CFG"},
    {0xc0010055, 1, 0, 0, WriteRule::kIgnore, Vendor::kAmd, false, "INT_PENDING"},
    {0xc0010061, 10, 0, 0, WriteRule::kIgnore, Vendor::kAmd, false, "P-states"},
    {0xc0010114, 1, 1u << 4, 0, WriteRule::kIgnore, Vendor::kAmd, false, "VM_CR"},
    {0xc0010117, 1, 0, 0, WriteRule::kIgnore, Vendor::kAmd, false, "VM_HSAVE_PA"},
    {0xc0010140, 2, 0, 0, WriteRule::kReadOnly, Vendor::kAmd, false, "OSVW"},
    {0xc0011022, 2, 0, 0, WriteRule::kIgnore, Vendor::kAmd, false, "DC_CFG and IC_CFG"},
    {0xc0011029, 2, 2, kAll, WriteRule::kMasked, Vendor::kAmd, true, "DE_CFG"},
};

bool Fits(const MsrRow& row, bool intel) {
  return row.vendor == Vendor::kAny || (row.vendor == Vendor::kIntel) == intel;
}

constexpr size_t CountStored() {
  size_t count = 0;
  for (const MsrRow& row : kRows) count += row.in_snapshot ? row.count : 0;
  return count;
}
static_assert(CountStored() <= kStoredMsrs);

}  // namespace

std::span<const MsrRow> MsrTable() { return kRows; }

bool FindMsr(uint32_t index, bool intel, const MsrRow*& row, int& slot) {
  int stored = 0;
  for (const MsrRow& candidate : kRows) {
    const uint32_t into = index - candidate.index;
    if (into < candidate.count && Fits(candidate, intel)) {
      row = &candidate;
      slot = candidate.in_snapshot ? stored + static_cast<int>(into) : -1;
      return true;
    }
    if (candidate.in_snapshot) stored += static_cast<int>(candidate.count);
  }
  return false;
}

}  // namespace hv::vcpu
