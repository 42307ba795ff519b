/* What CPUID answers, published by vcpu_svc for the engines, one table a machine. */
#ifndef HV_ABI_CPUID_TABLE_H_
#define HV_ABI_CPUID_TABLE_H_

#include <stdint.h>

#include "abi/layout.h"
#include "abi/version.h"

#define HV_CPUID_SUBLEAF_MATTERS 1u

/* Values that depend on the vCPU or on its state (APIC id in leaves 1, 0xb, 0x1f; OSXSAVE and
 * OSPKE; the XSAVE size of leaf 0xd) are patched by the reader, not stored here. */
struct hv_cpuid_entry {
  uint32_t leaf;
  uint32_t subleaf;
  uint32_t flags; /* HV_CPUID_* */
  uint32_t eax;
  uint32_t ebx;
  uint32_t ecx;
  uint32_t edx;
  uint32_t reserved;
};
HV_SIZE(hv_cpuid_entry, 32);
HV_OFFSET(hv_cpuid_entry, leaf, 0);
HV_OFFSET(hv_cpuid_entry, subleaf, 4);
HV_OFFSET(hv_cpuid_entry, flags, 8);
HV_OFFSET(hv_cpuid_entry, eax, 12);
HV_OFFSET(hv_cpuid_entry, ebx, 16);
HV_OFFSET(hv_cpuid_entry, ecx, 20);
HV_OFFSET(hv_cpuid_entry, edx, 24);

#define HV_MAX_CPUID_ENTRIES 120u

struct hv_cpuid_table {
  struct hv_segment_header header;
  uint32_t count;
  uint32_t reserved[11];
  struct hv_cpuid_entry entries[HV_MAX_CPUID_ENTRIES];
};
HV_SIZE(hv_cpuid_table, 64 + HV_MAX_CPUID_ENTRIES * 32);
HV_OFFSET(hv_cpuid_table, count, 16);
HV_OFFSET(hv_cpuid_table, entries, 64);

#endif /* HV_ABI_CPUID_TABLE_H_ */
