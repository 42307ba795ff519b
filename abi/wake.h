/* How a process sleeps and is woken, and how many may spin. */
#ifndef HV_ABI_WAKE_H_
#define HV_ABI_WAKE_H_

#include <stdint.h>

#include "abi/layout.h"
#include "abi/version.h"

/* One wake segment an endpoint; its peers map it too. The owner, before it sleeps, stores
 * sleeping = 1, looks at its rings once more, and waits (FUTEX_WAIT) while word is what it was
 * before that look. A producer, after it has published, adds 1 to word and calls FUTEX_WAKE if it
 * saw sleeping = 1. A hostile peer can cost its victim wake-ups, no more: every wait is bounded. */
struct hv_wake {
  struct hv_segment_header header;
  uint8_t reserved0[48];
  uint32_t word;
  uint32_t sleeping;
  uint8_t reserved1[56];
};
HV_SIZE(hv_wake, 128);
HV_OFFSET(hv_wake, word, 64);
HV_OFFSET(hv_wake, sleeping, 68);

/* One a machine, mapped by all its parts: which services may spin. A service that handles a message
 * writes its endpoint to hot[spinner slot] (round robin over `slots`); a service spins only while
 * its endpoint stands in one of the slots, else it sleeps. slots = host cores beyond vCPUs, capped to
 * HV_SPIN_SLOTS; 0 means nobody spins. Advisory: scribbling here changes speed, never results. */
#define HV_SPIN_SLOTS 8u
struct hv_spin_budget {
  struct hv_segment_header header;
  uint32_t slots;
  uint32_t next;
  uint8_t reserved[40];
  uint32_t hot[HV_SPIN_SLOTS];
  uint8_t reserved1[32];
};
HV_SIZE(hv_spin_budget, 128);
HV_OFFSET(hv_spin_budget, slots, 16);
HV_OFFSET(hv_spin_budget, next, 20);
HV_OFFSET(hv_spin_budget, hot, 64);

#endif /* HV_ABI_WAKE_H_ */
