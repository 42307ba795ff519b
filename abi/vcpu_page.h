/* The vCPU page: how vcpu_svc tells a vCPU thread what to take next, like a posted-interrupt
 * descriptor (Intel SDM vol. 3, 30.6). One a vCPU, mapped by vcpu_svc and hv_kernel alone. */
#ifndef HV_ABI_VCPU_PAGE_H_
#define HV_ABI_VCPU_PAGE_H_

#include <stdint.h>

#include "abi/version.h"

/* hv_vcpu_page.pending:
 *
 *  63                            32 31   17  16   15   14   13   12 11  8 7       0
 * +--------------------------------+-------+----+----+----+----+----+-----+---------+
 * |           generation           |   0   | EXT|SIPI|INIT| NMI| INT|  0  | vector  |
 * +--------------------------------+-------+----+----+----+----+----+-----+---------+
 *
 * One 64-bit release store publishes it. A generation is taken once: hv_kernel remembers the
 * generation it took last and takes a word only when its generation differs. What it took it
 * reports to vcpu_svc with HV_KIND_INJECTED {vector, what, generation}. vcpu_svc publishes a new
 * generation when what is to be taken next changes; the event bits zero mean nothing is pending.
 * Of several bits hv_kernel takes the most urgent: INIT, SIPI, NMI, INT, and reports which. */
#define HV_PENDING_VECTOR_MASK 0xffull
#define HV_PENDING_INTERRUPT (1ull << 12) /* maskable interrupt `vector` */
#define HV_PENDING_NMI (1ull << 13)
#define HV_PENDING_INIT (1ull << 14)
#define HV_PENDING_SIPI (1ull << 15) /* start at `vector` << 12 */
#define HV_PENDING_EXTINT (1ull << 16) /* with INT: the vector is the 8259 pair's */
#define HV_PENDING_EVENTS (0xfull << 12)
#define HV_PENDING_GENERATION_SHIFT 32

struct hv_vcpu_page {
  struct hv_segment_header header;
  uint8_t reserved0[48];
  /* Not zero: the vCPU thread should leave the guest and look. Set by vcpu_svc after `pending`
   * (release) and by hv_kernel's own control thread; taken by exchange with 0 (acquire). The
   * engine reads it at every block entry or, in hardware, is kicked. */
  uint32_t attention;
  uint32_t reserved1;
  uint64_t pending;
  /* Task priority as last set by the local APIC side (CR8 = tpr >> 4), for CR8 reads without an
   * exit. Written by vcpu_svc. */
  uint32_t tpr;
  uint8_t reserved2[44];
};

#endif /* HV_ABI_VCPU_PAGE_H_ */
