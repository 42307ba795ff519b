/* The vCPU page: how vcpu_svc tells a vCPU thread what to take next, like a posted-interrupt
 * descriptor (Intel SDM vol. 3, 30.6). One a vCPU, mapped by vcpu_svc and hv_kernel alone. */
#ifndef HV_ABI_VCPU_PAGE_H_
#define HV_ABI_VCPU_PAGE_H_

#include <stdint.h>

#include "abi/layout.h"
#include "abi/version.h"

/* hv_vcpu_page.pending:
 *
 *  63                            32 31   17  16   15   14   13   12 11  8 7       0
 * +--------------------------------+-------+----+----+----+----+----+-----+---------+
 * |           generation           |   0   | EXT|SIPI|INIT| NMI| INT|  0  | vector  |
 * +--------------------------------+-------+----+----+----+----+----+-----+---------+
 *
 * One 64-bit release store publishes it. vcpu_svc publishes a new generation when what is to be
 * taken next changes; the event bits zero mean nothing is pending. A generation is taken once. Of
 * several bits hv_kernel takes the most urgent: INIT, SIPI, NMI, INT.
 *
 * `taken` has the same layout: what hv_kernel took last, its generation, the one event bit and
 * the vector. It is stored before the guest runs on, and HV_KIND_INJECTED asks vcpu_svc to look.
 * That message may be overtaken by what the guest causes next: an edge of the very interrupt it
 * just took must not be mistaken for one that was still pending. So vcpu_svc looks at `taken`
 * before it delivers anything to the vCPU, and the message says nothing itself.
 *
 * vcpu_svc answers with `acknowledged`, the generation of the last `taken` it has seen. Until that
 * is the one of hv_kernel's last `taken`, hv_kernel takes nothing more: what is pending was
 * published by who did not know of it.
 *
 * How the vCPU thread is made to look depends on where it is. Asleep: hv_wake (abi/wake.h). In the
 * guest, on an engine that reads `attention` at every block: it sees it. In the guest on hardware
 * it reads nothing and sleeps on nothing: it has stored inside = 1 (an exchange, a full barrier)
 * and looked at `attention` once more before it entered. Who has stored `attention` makes a
 * full barrier, and if inside is then not 0 adds 1 to `kicks` (release) and calls FUTEX_WAKE on it
 * (not private). A thread of hv_kernel waits there and brings the vCPU thread out. Either the vCPU
 * thread saw `attention`, or the other sees `inside`. Nothing bounds that wait: who attaches to a
 * page in the place of one that died kicks once where something is to be taken. */
#define HV_PENDING_VECTOR_MASK 0xffull
#define HV_PENDING_INTERRUPT (1ull << 12) /* maskable interrupt `vector` */
#define HV_PENDING_NMI (1ull << 13)
#define HV_PENDING_INIT (1ull << 14)
#define HV_PENDING_SIPI (1ull << 15)   /* start at `vector` << 12 */
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
  uint32_t kicks; /* a futex: raised by who set `attention` and saw `inside` */
  uint64_t pending;
  uint32_t acknowledged; /* written by vcpu_svc, before `pending` or `attention` (release) */
  uint8_t reserved2[44];
  uint64_t taken;  /* written by hv_kernel; in a cache line of its own */
  uint32_t inside; /* written by hv_kernel: the vCPU thread looks at nothing until it is kicked */
  uint8_t reserved3[52];
};
HV_SIZE(hv_vcpu_page, 192);
HV_OFFSET(hv_vcpu_page, attention, 64);
HV_OFFSET(hv_vcpu_page, kicks, 68);
HV_OFFSET(hv_vcpu_page, pending, 72);
HV_OFFSET(hv_vcpu_page, acknowledged, 80);
HV_OFFSET(hv_vcpu_page, taken, 128);
HV_OFFSET(hv_vcpu_page, inside, 136);

#endif /* HV_ABI_VCPU_PAGE_H_ */
