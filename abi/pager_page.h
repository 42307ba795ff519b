/* What mmu_svc's pager does and has done (mmu_svc/pager): written by it, read by hvd. */
#ifndef HV_ABI_PAGER_PAGE_H_
#define HV_ABI_PAGER_PAGE_H_

#include <stdint.h>

#include "abi/layout.h"
#include "abi/version.h"

/* One a machine, mapped by mmu_svc and hvd. Counters go on across processes of mmu_svc and are
 * approximate across a death.
 *
 *   0  header
 *  16  thread, released
 *  24  turn
 *  32  counters
 *
 * turn: odd from before the pager reads events until each of them is resolved. Events that wait to
 * be read show in poll(2) of the userfaultfd; those that were read show here. Who attaches makes it
 * even again.
 *
 * released: 1 once hvd gives paging back to the host, because no mmu_svc stays alive. */
struct hv_pager_page {
  struct hv_segment_header header;
  uint32_t thread; /* id of the pager's thread */
  uint32_t released;
  uint64_t turn;
  uint64_t faults;           /* of missing pages, told by hv_kernel's threads that touched them */
  uint64_t pages;            /* given, zeroed */
  uint64_t read_ahead_pages; /* of these, pages that nobody had touched yet */
  uint64_t wakes;            /* of all waiting threads, once each time a process attaches */
  uint64_t refused;          /* events that are no fault in guest memory */
  uint64_t failed;           /* faults for which the host had no page; their threads try again */
  uint64_t writes;           /* told of pages that are watched, and noted */
  uint64_t stray_writes;     /* told of others, which are let go */
  uint8_t reserved[32];
};
HV_SIZE(hv_pager_page, 128);
HV_OFFSET(hv_pager_page, thread, 16);
HV_OFFSET(hv_pager_page, released, 20);
HV_OFFSET(hv_pager_page, turn, 24);
HV_OFFSET(hv_pager_page, faults, 32);
HV_OFFSET(hv_pager_page, pages, 40);
HV_OFFSET(hv_pager_page, read_ahead_pages, 48);
HV_OFFSET(hv_pager_page, wakes, 56);
HV_OFFSET(hv_pager_page, refused, 64);
HV_OFFSET(hv_pager_page, failed, 72);
HV_OFFSET(hv_pager_page, writes, 80);
HV_OFFSET(hv_pager_page, stray_writes, 88);

#endif /* HV_ABI_PAGER_PAGE_H_ */
