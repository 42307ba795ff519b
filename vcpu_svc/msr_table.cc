#include "vcpu_svc/msr_table.h"

#include "vcpu_svc/paravirtual_clock.h"
#include "vcpu_svc/physical_address.h"

namespace hv::vcpu {
namespace {

using enum WriteRule;
using enum Vendor;

constexpr uint64_t kAll = UINT64_MAX;
constexpr uint64_t kAllWriteBack = 0x0606060606060606;
constexpr uint64_t kMtrrTypes = 0x0707070707070707;
constexpr uint64_t kMtrrCapabilities = 8 | 1u << 8 | 1u << 10;  // eight variable ranges, fixed, WC
constexpr uint64_t kMtrrEnabledWriteBack = 6 | 1u << 11;
constexpr uint64_t kMtrrDefaultWritable = 0x7 | 1u << 10 | 1u << 11;
constexpr uint64_t kMtrrBase = kPageAddressMask | 0x7;
constexpr uint64_t kMtrrMask = kPageAddressMask | 1u << 11;
constexpr uint64_t kMicrocodeRevision = 1ull << 32;
constexpr uint64_t kFeatureControlLocked = 1;
constexpr uint64_t kMiscEnable = 1u << 0 | 1u << 11 | 1u << 12;  // fast strings; no BTS, no PEBS
// Fast strings, TCC, performance monitoring, BTS, PEBS, SpeedStep, MONITOR, limited CPUID, xTPR.
// Not XD bit disable: NX is there.
constexpr uint64_t kMiscEnableWritable =
    1u << 0 | 1u << 3 | 1u << 7 | 1u << 11 | 1u << 12 | 1u << 16 | 1u << 18 | 1u << 22 | 1u << 23;
constexpr uint64_t kTscAtP0 = 1u << 24;          // HWCR.TscFreqSel
constexpr uint64_t kSvmDisabled = 1u << 4;       // VM_CR.SVMDIS
constexpr uint64_t kLfenceSerializes = 1u << 1;  // DE_CFG

constexpr MsrRow kRows[] = {
    // index, count, stride, reset, writable, memory types, rule, vendor, name
    {0x8b, 1, 1, kMicrocodeRevision, 0, 0, kIgnore, kAny, "BIOS_SIGN_ID, PATCH_LEVEL"},
    {0xfe, 1, 1, kMtrrCapabilities, 0, 0, kReadOnly, kAny, "MTRRcap"},
    {0x179, 1, 1, 0, 0, 0, kReadOnly, kAny, "MCG_CAP"},
    {0x17a, 1, 1, 0, kAll, 0, kStored, kAny, "MCG_STATUS"},
    {0x1d9, 1, 1, 0, 0, 0, kIgnore, kAny, "DEBUGCTL"},
    {0x200, 8, 2, 0, kMtrrBase, 1, kStored, kAny, "MTRRphysBase"},
    {0x201, 8, 2, 0, kMtrrMask, 0, kStored, kAny, "MTRRphysMask"},
    {0x250, 1, 1, kAllWriteBack, kMtrrTypes, 8, kStored, kAny, "MTRRfix64K"},
    {0x258, 2, 1, kAllWriteBack, kMtrrTypes, 8, kStored, kAny, "MTRRfix16K"},
    {0x268, 8, 1, kAllWriteBack, kMtrrTypes, 8, kStored, kAny, "MTRRfix4K"},
    {0x2ff, 1, 1, kMtrrEnabledWriteBack, kMtrrDefaultWritable, 1, kStored, kAny, "MTRRdefType"},
    {kWallClockMsr, 1, 1, 0, kAll, 0, kStored, kAny, "KVM_WALL_CLOCK_NEW"},
    {kSystemTimeMsr, 1, 1, 0, kAll, 0, kStored, kAny, "KVM_SYSTEM_TIME_NEW"},

    {0x17, 1, 1, 0, 0, 0, kReadOnly, kIntel, "PLATFORM_ID"},
    {0x34, 1, 1, 0, 0, 0, kReadOnly, kIntel, "SMI_COUNT"},
    {0x3a, 1, 1, kFeatureControlLocked, 0, 0, kReadOnly, kIntel, "FEATURE_CONTROL"},
    {0x79, 1, 1, 0, 0, 0, kWriteOnly, kIntel, "BIOS_UPDT_TRIG"},
    {0xce, 1, 1, 0, 0, 0, kReadOnly, kIntel, "PLATFORM_INFO"},
    {0x140, 1, 1, 0, 0, 0, kIgnore, kIntel, "MISC_FEATURES_ENABLES"},
    {0x1a0, 1, 1, kMiscEnable, kMiscEnableWritable, 0, kStored, kIntel, "MISC_ENABLE"},
    {0x606, 1, 1, 0, 0, 0, kReadOnly, kIntel, "RAPL_POWER_UNIT"},

    {0xc0010010, 1, 1, 0, 0, 0, kIgnore, kAmd, "SYSCFG"},
    {0xc0010015, 1, 1, kTscAtP0, 0, 0, kIgnore, kAmd, "HWCR"},
    {0xc001001a, 1, 1, 0, 0, 0, kIgnore, kAmd, "TOP_MEM"},
    {0xc001001d, 1, 1, 0, 0, 0, kIgnore, kAmd, "TOP_MEM2"},
    {0xc001001f, 1, 1, 0, 0, 0, kIgnore, kAmd, "NB_CFG"},
    {0xc0010020, 1, 1, 0, 0, 0, kWriteOnly, kAmd, "PATCH_LOADER"},
    {0xc0010055, 1, 1, 0, 0, 0, kIgnore, kAmd, "INT_PENDING"},
    {0xc0010058, 1, 1, 0, 0, 0, kIgnore, kAmd, "MMIO_CONFIGURATION_BASE"},
    {0xc0010061, 10, 1, 0, 0, 0, kIgnore, kAmd, "P-states"},
    {0xc0010114, 1, 1, kSvmDisabled, 0, 0, kIgnore, kAmd, "VM_CR"},
    {0xc0010117, 1, 1, 0, 0, 0, kIgnore, kAmd, "VM_HSAVE_PA"},
    {0xc0010140, 2, 1, 0, 0, 0, kReadOnly, kAmd, "OSVW"},
    {0xc0011022, 2, 1, 0, 0, 0, kIgnore, kAmd, "DC_CFG and IC_CFG"},
    {0xc0011029, 1, 1, kLfenceSerializes, kAll, 0, kStored, kAmd, "DE_CFG"},
    {0xc001102a, 1, 1, 0, 0, 0, kIgnore, kAmd, "BU_CFG2"},
};

bool Fits(const MsrRow& row, bool intel) {
  return row.vendor == kAny || (row.vendor == kIntel) == intel;
}

constexpr size_t CountStored() {
  size_t count = 0;
  for (const MsrRow& row : kRows) count += row.stored() ? row.count : 0;
  return count;
}
static_assert(CountStored() <= kStoredMsrs);

// UC, WC, WT, WP, WB (SDM vol. 3, table 12-8).
bool IsMemoryType(uint8_t type) { return type <= 6 && type != 2 && type != 3; }

}  // namespace

bool MsrRow::Accepts(uint64_t value) const {
  if ((value & ~writable) != 0) return false;
  for (int i = 0; i < memory_types; ++i) {
    if (!IsMemoryType(static_cast<uint8_t>(value >> (8 * i)))) return false;
  }
  return true;
}

std::span<const MsrRow> MsrTable() { return kRows; }

MsrPlace FindMsr(uint32_t index, bool intel) {
  int stored = 0;
  for (const MsrRow& row : kRows) {
    const uint32_t distance = index - row.index;
    const uint32_t nth = distance / row.stride;
    if (nth < row.count && distance % row.stride == 0 && Fits(row, intel)) {
      return {&row, row.stored() ? stored + static_cast<int>(nth) : -1};
    }
    if (row.stored()) stored += static_cast<int>(row.count);
  }
  return {};
}

}  // namespace hv::vcpu
