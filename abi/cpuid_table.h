/* What CPUID answers, published by vcpu_svc for the engines, one table a machine. */
#ifndef HV_ABI_CPUID_TABLE_H_
#define HV_ABI_CPUID_TABLE_H_

#include <stdint.h>

#include "abi/version.h"

#define HV_CPUID_SUBLEAF_MATTERS 1u

/* Values that depend on the vCPU or on its state (APIC id in leaves 1, 0xb, 0x1f; OSXSAVE and OSPKE;
 * the XSAVE size of leaf 0xd) are patched by the reader, not stored here. */
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

#define HV_MAX_CPUID_ENTRIES 120u

struct hv_cpuid_table {
  struct hv_segment_header header;
  uint32_t count;
  uint32_t reserved[11];
  struct hv_cpuid_entry entries[HV_MAX_CPUID_ENTRIES];
};

#endif /* HV_ABI_CPUID_TABLE_H_ */
