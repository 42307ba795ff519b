/* The version of everything under abi/, and the rule by which peers accept each other. */
#ifndef HV_ABI_VERSION_H_
#define HV_ABI_VERSION_H_

#include <stdint.h>

#include "abi/layout.h"

/* Raised when a layout or the meaning of a message changes. Peers of different majors refuse each
 * other, naming both. */
#define HV_ABI_MAJOR 4u
/* Raised when something is added that an older peer may ignore. */
#define HV_ABI_MINOR 2u

/* Every segment starts with these sixteen bytes.
 *
 *  63             32 31             0
 * +-----------------+----------------+
 * |     segment     |     magic      |  0
 * +-----------------+----------------+
 * |      minor      |     major      |  8
 * +-----------------+----------------+
 */
struct hv_segment_header {
  uint32_t magic;   /* HV_SEGMENT_MAGIC */
  uint32_t segment; /* enum hv_segment */
  uint32_t major;   /* HV_ABI_MAJOR of the process that made the segment */
  uint32_t minor;
};
HV_SIZE(hv_segment_header, 16);
HV_OFFSET(hv_segment_header, magic, 0);
HV_OFFSET(hv_segment_header, segment, 4);
HV_OFFSET(hv_segment_header, major, 8);
HV_OFFSET(hv_segment_header, minor, 12);

#define HV_SEGMENT_MAGIC 0x31565648u /* "HVV1" */

enum hv_segment {
  HV_SEGMENT_CHANNEL = 1,       /* abi/channel.h */
  HV_SEGMENT_STATE = 2,         /* abi/state.h */
  HV_SEGMENT_WAKE = 3,          /* abi/wake.h */
  HV_SEGMENT_VCPU_PAGE = 4,     /* abi/vcpu_page.h */
  HV_SEGMENT_ROUTE_TABLE = 5,   /* abi/route_table.h */
  HV_SEGMENT_CPUID_TABLE = 6,   /* abi/cpuid_table.h */
  HV_SEGMENT_SPIN_BUDGET = 7,   /* abi/wake.h */
  HV_SEGMENT_DIRTY_LOG = 8,     /* abi/route_table.h */
  HV_SEGMENT_GUEST_RAM = 9,     /* no header: raw guest memory */
  HV_SEGMENT_PAGER_PAGE = 10,   /* abi/pager_page.h */
  HV_SEGMENT_WRITTEN_PAGES = 11 /* abi/route_table.h, laid out as the dirty log */
};

#endif /* HV_ABI_VERSION_H_ */
