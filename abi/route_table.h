/* Guest-physical memory and I/O ports: who answers where. Published read-only by mmu_svc. */
#ifndef HV_ABI_ROUTE_TABLE_H_
#define HV_ABI_ROUTE_TABLE_H_

#include <stdint.h>

#include "abi/layout.h"
#include "abi/version.h"

enum hv_space { HV_SPACE_PORT = 0, HV_SPACE_MMIO = 1 };

/* Writes inside a posted route are not answered; their order is kept by the ring. */
#define HV_ROUTE_POSTED_WRITES 1u
/* Beside POSTED_WRITES: a write may reach the service some milliseconds late, but never after what
 * the same vCPU asks of anybody next. So it need not leave the guest by itself. A reader that does
 * not know the flag posts at once. */
#define HV_ROUTE_LATE_WRITES 2u
/* Alone: writes have no effect but being counted, by hv_kernel, and no message tells of them. Reads
 * go to `endpoint`. To a reader that does not know the flag they are writes as any other. */
#define HV_ROUTE_COUNTED_WRITES 4u

/* One range [first, last], both inclusive, answered by `endpoint`. */
struct hv_route {
  uint64_t first;
  uint64_t last;
  uint32_t endpoint; /* abi/endpoint.h */
  uint16_t space;    /* enum hv_space */
  uint16_t flags;    /* HV_ROUTE_* */
  uint64_t reserved;
};
HV_SIZE(hv_route, 32);
HV_OFFSET(hv_route, first, 0);
HV_OFFSET(hv_route, last, 8);
HV_OFFSET(hv_route, endpoint, 16);
HV_OFFSET(hv_route, space, 20);
HV_OFFSET(hv_route, flags, 22);

#define HV_MEMORY_READ_ONLY 1u /* ROM: guest writes go to the route of the address */
#define HV_MEMORY_LOG_DIRTY 2u /* set a bit of the dirty log for each page written */
/* Beside READ_ONLY: RAM that was write-protected on request. Says why; readers need READ_ONLY
 * alone. */
#define HV_MEMORY_PROTECTED 4u
/* mmu_svc has the host's kernel tell it of writes (HV_SEGMENT_WRITTEN_PAGES). Nothing to readers.
 */
#define HV_MEMORY_WATCHED 8u

/* Guest-physical [address, address + bytes) is guest RAM at `offset` of the RAM segment. */
struct hv_memory_slot {
  uint64_t address; /* page aligned */
  uint64_t bytes;   /* page multiple */
  uint64_t offset;
  uint32_t flags; /* HV_MEMORY_* */
  uint32_t reserved;
};
HV_SIZE(hv_memory_slot, 32);
HV_OFFSET(hv_memory_slot, address, 0);
HV_OFFSET(hv_memory_slot, bytes, 8);
HV_OFFSET(hv_memory_slot, offset, 16);
HV_OFFSET(hv_memory_slot, flags, 24);

#define HV_MAX_ROUTES 256u
#define HV_MAX_MEMORY_SLOTS 64u

/* Sequence-locked: mmu_svc stores an odd generation, changes the table, stores the next even one
 * (release); a reader copies the table between two acquire loads of the same even generation and
 * validates its copy. hv_kernel takes a copy when its guest starts and when hvd tells it that the
 * map has changed (KernelControl.ReloadMap). Routes are sorted by (space, first) and do not
 * overlap; whatever no route names goes to mmu_svc. */
struct hv_route_table {
  struct hv_segment_header header;
  uint32_t generation;
  uint32_t route_count;
  uint32_t slot_count;
  uint32_t reserved[9];
  struct hv_route routes[HV_MAX_ROUTES];
  struct hv_memory_slot slots[HV_MAX_MEMORY_SLOTS];
};
HV_SIZE(hv_route_table, 64 + HV_MAX_ROUTES * 32 + HV_MAX_MEMORY_SLOTS * 32);
HV_OFFSET(hv_route_table, generation, 16);
HV_OFFSET(hv_route_table, route_count, 20);
HV_OFFSET(hv_route_table, slot_count, 24);
HV_OFFSET(hv_route_table, routes, 64);
HV_OFFSET(hv_route_table, slots, 8256);

/* Dirty log: one bit a page of the RAM segment, set with a relaxed atomic OR by whoever writes
 * guest RAM, cleared by mmu_svc with an atomic AND of what it has handed on. A bit is set before
 * the page is written, or, where hardware notes what is written, when the vCPU leaves the guest;
 * who writes through something that remembers rights (a TLB) sets it anew once it has been told
 * that a new round begins (KernelControl.ReloadMap). The words follow the 64-byte header.
 *
 * Written pages: the same layout in a segment of mmu_svc's alone. A bit of a page that is watched
 * is set before a write to it goes on, by mmu_svc, which the host's kernel tells of it. */
struct hv_dirty_log {
  struct hv_segment_header header;
  uint64_t pages;
  uint8_t reserved[40];
  /* uint64_t words[(pages + 63) / 64] */
};
HV_SIZE(hv_dirty_log, 64);
HV_OFFSET(hv_dirty_log, pages, 16);

#endif /* HV_ABI_ROUTE_TABLE_H_ */
