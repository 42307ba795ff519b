/* The messages: what may stand in a cell, with the payload of each kind. */
#ifndef HV_ABI_MESSAGE_H_
#define HV_ABI_MESSAGE_H_

#include <stdint.h>

#include "abi/cell.h"
#include "abi/layout.h"

/* Sender -> receiver is given for each. "vCPU" is a vCPU thread of hv_kernel. */
enum hv_kind {
  HV_KIND_NONE = 0,

  /* Accesses: vCPU -> the endpoint of the route. */
  HV_KIND_READ = 1,         /* hv_access; answered by READ_DONE with the same tag */
  HV_KIND_WRITE = 2,        /* hv_access; answered by WRITE_DONE with the same tag */
  HV_KIND_WRITE_POSTED = 3, /* hv_access; tag 0, not answered */
  HV_KIND_READ_DONE = 4,    /* hv_access_done */
  HV_KIND_WRITE_DONE = 5,   /* hv_access_done */

  /* What belongs to the vCPU: vCPU -> vcpu_svc. */
  HV_KIND_MSR_READ = 16,  /* hv_msr; answered by MSR_DONE */
  HV_KIND_MSR_WRITE = 17, /* hv_msr; answered by MSR_DONE */
  HV_KIND_MSR_DONE = 18,  /* hv_msr_done */
  HV_KIND_INJECTED = 19,  /* no payload; posted: look at vcpu_page.taken */
  HV_KIND_CR8_WRITE = 20, /* hv_msr with value = CR8, index 0; answered by MSR_DONE */
  HV_KIND_CR8_READ = 21,  /* hv_msr, index 0; answered by MSR_DONE with value = CR8 */

  /* Interrupts. */
  HV_KIND_LINE = 32,      /* hv_line: timer_svc, devices -> ioapic_svc */
  HV_KIND_INTERRUPT = 33, /* hv_interrupt: ioapic_svc, MSI sources -> vcpu_svc */
  HV_KIND_EOI = 34,       /* hv_eoi: vcpu_svc -> ioapic_svc, level-triggered vectors only */
  HV_KIND_INTR = 35,      /* hv_intr: ioapic_svc -> vcpu_svc, output of the 8259 pair */
  HV_KIND_INTA = 36, /* hv_intr: vCPU -> ioapic_svc; posted: it took `vector` of the 8259 pair */
  HV_KIND_GSI_ROUTE = 37, /* hv_gsi_route: timer_svc, devices -> ioapic_svc */

  /* Time. */
  HV_KIND_DEADLINE_SET = 48,     /* hv_deadline: vcpu_svc -> timer_svc; time 0 disarms */
  HV_KIND_DEADLINE_EXPIRED = 49, /* hv_deadline: timer_svc -> vcpu_svc */

  /* Guest memory, for those who do not map it. */
  HV_KIND_STORE = 56,      /* hv_store: vcpu_svc -> mmu_svc; answered by STORE_DONE with its tag */
  HV_KIND_STORE_DONE = 57, /* hv_store_done: mmu_svc -> vcpu_svc */

  /* Host side: hvd <-> serial_svc, power_svc. */
  HV_KIND_CONSOLE_OUTPUT = 64, /* hv_bytes: serial_svc -> hvd */
  HV_KIND_CONSOLE_INPUT = 65,  /* hv_bytes: hvd -> serial_svc */
  HV_KIND_CONSOLE_CREDIT = 66, /* hv_credit: either way; bytes the receiver of data has taken */
  HV_KIND_POWER_BUTTON = 67,   /* no payload: hvd -> power_svc */

  HV_KIND_COUNT = 80
};

/* HV_KIND_READ, WRITE, WRITE_POSTED. */
struct hv_access {
  uint64_t address; /* guest-physical address or port */
  uint64_t data;    /* writes: the value, zero-extended */
  uint8_t width;    /* bytes: 1, 2, 4 or 8; 8 for MMIO only */
  uint8_t space;    /* enum hv_space */
  uint8_t reserved[30];
};
HV_SIZE(hv_access, HV_CELL_PAYLOAD_BYTES);
HV_OFFSET(hv_access, address, 0);
HV_OFFSET(hv_access, data, 8);
HV_OFFSET(hv_access, width, 16);
HV_OFFSET(hv_access, space, 17);

/* What an answer asks of the machine as a whole. */
enum hv_machine_event {
  HV_MACHINE_EVENT_NONE = 0,
  HV_MACHINE_EVENT_POWER_OFF = 1,
  HV_MACHINE_EVENT_RESET = 2,
  HV_MACHINE_EVENT_DEBUG_EXIT = 3 /* status in event_value */
};

/* HV_KIND_READ_DONE, WRITE_DONE. */
struct hv_access_done {
  uint64_t data;  /* reads: the value, zero-extended to 64 bits */
  uint32_t event; /* enum hv_machine_event */
  uint32_t event_value;
  uint8_t reserved[32];
};
HV_SIZE(hv_access_done, HV_CELL_PAYLOAD_BYTES);
HV_OFFSET(hv_access_done, data, 0);
HV_OFFSET(hv_access_done, event, 8);
HV_OFFSET(hv_access_done, event_value, 12);

struct hv_msr {
  uint32_t index;
  uint32_t reserved0;
  uint64_t value; /* writes */
  uint8_t reserved[32];
};
HV_SIZE(hv_msr, HV_CELL_PAYLOAD_BYTES);
HV_OFFSET(hv_msr, index, 0);
HV_OFFSET(hv_msr, value, 8);

struct hv_msr_done {
  uint64_t value; /* reads */
  uint32_t fault; /* 1: the access takes #GP(0) */
  uint8_t reserved[36];
};
HV_SIZE(hv_msr_done, HV_CELL_PAYLOAD_BYTES);
HV_OFFSET(hv_msr_done, value, 0);
HV_OFFSET(hv_msr_done, fault, 8);

/* HV_KIND_LINE: the level of one interrupt source. Sources of one GSI are ORed by ioapic_svc; the
 * source is the sending endpoint. An edge is a 1 followed by a 0. */
struct hv_line {
  uint32_t gsi;
  uint32_t level; /* 0 or 1 */
  uint8_t reserved[40];
};
HV_SIZE(hv_line, HV_CELL_PAYLOAD_BYTES);
HV_OFFSET(hv_line, gsi, 0);
HV_OFFSET(hv_line, level, 4);

/* Delivery modes as encoded in the ICR, redirection entries and MSI data (SDM vol. 3, 11.6.1). */
enum hv_delivery_mode {
  HV_DELIVERY_FIXED = 0,
  HV_DELIVERY_LOWEST_PRIORITY = 1,
  HV_DELIVERY_SMI = 2,
  HV_DELIVERY_NMI = 4,
  HV_DELIVERY_INIT = 5,
  HV_DELIVERY_STARTUP = 6,
  HV_DELIVERY_EXTINT = 7
};

struct hv_interrupt {
  uint32_t destination; /* APIC id, logical or physical */
  uint8_t vector;
  uint8_t delivery_mode; /* enum hv_delivery_mode */
  uint8_t logical;       /* 1: logical destination mode */
  uint8_t level;         /* 1: level-triggered */
  uint8_t assert_level;  /* 1: assert; 0: deassert (INIT level de-assert only) */
  uint8_t reserved[39];
};
HV_SIZE(hv_interrupt, HV_CELL_PAYLOAD_BYTES);
HV_OFFSET(hv_interrupt, destination, 0);
HV_OFFSET(hv_interrupt, vector, 4);
HV_OFFSET(hv_interrupt, delivery_mode, 5);
HV_OFFSET(hv_interrupt, logical, 6);
HV_OFFSET(hv_interrupt, level, 7);
HV_OFFSET(hv_interrupt, assert_level, 8);

/* The message behind a GSI from HV_IOAPIC_INPUTS on: each rise of its line writes it. Who sets a
 * GSI's message first owns the GSI until it gives it up. */
struct hv_gsi_route {
  uint64_t address; /* of the MSI (SDM vol. 3, 11.11) */
  uint32_t data;
  uint32_t gsi;
  uint32_t enabled; /* 0: given up */
  uint8_t reserved[28];
};
HV_SIZE(hv_gsi_route, HV_CELL_PAYLOAD_BYTES);
HV_OFFSET(hv_gsi_route, address, 0);
HV_OFFSET(hv_gsi_route, data, 8);
HV_OFFSET(hv_gsi_route, gsi, 12);
HV_OFFSET(hv_gsi_route, enabled, 16);

struct hv_eoi {
  uint32_t vector;
  uint8_t reserved[44];
};
HV_SIZE(hv_eoi, HV_CELL_PAYLOAD_BYTES);
HV_OFFSET(hv_eoi, vector, 0);

/* INTA goes to ioapic_svc on the way that the vCPU's own accesses take, so that the guest's end of
 * interrupt comes after it. vcpu_svc, which learns from `taken` of the vCPU page, takes the output
 * for low after each, until an INTR says otherwise that was sent in knowledge of it: one whose
 * `acknowledged` is not behind the number of times vCPUs took a vector with HV_PENDING_EXTINT. */
struct hv_intr {
  uint32_t asserted;     /* INTR only: 1 while the 8259 pair's output is high */
  uint32_t vector;       /* what an INTA would read now; INTA: what was read */
  uint32_t acknowledged; /* INTR only: INTAs received since the machine started, modulo 2^32 */
  uint8_t reserved[36];
};
HV_SIZE(hv_intr, HV_CELL_PAYLOAD_BYTES);
HV_OFFSET(hv_intr, asserted, 0);
HV_OFFSET(hv_intr, vector, 4);
HV_OFFSET(hv_intr, acknowledged, 8);

/* Times are nanoseconds of the machine's clock (see docs/ARCHITECTURE.md, Time). */
struct hv_deadline {
  uint64_t time_ns;
  uint32_t vcpu;
  uint32_t generation; /* repeated in EXPIRED; an old generation is ignored */
  uint8_t reserved[32];
};
HV_SIZE(hv_deadline, HV_CELL_PAYLOAD_BYTES);
HV_OFFSET(hv_deadline, time_ns, 0);
HV_OFFSET(hv_deadline, vcpu, 8);
HV_OFFSET(hv_deadline, generation, 12);

/* HV_KIND_STORE: bytes for guest RAM, written as the guest itself would write them. */
#define HV_STORE_MAX 36u
struct hv_store {
  uint64_t address; /* guest-physical; may cross a page */
  uint32_t length;  /* 1 to HV_STORE_MAX */
  uint8_t bytes[HV_STORE_MAX];
};
HV_SIZE(hv_store, HV_CELL_PAYLOAD_BYTES);
HV_OFFSET(hv_store, address, 0);
HV_OFFSET(hv_store, length, 8);
HV_OFFSET(hv_store, bytes, 12);

struct hv_store_done {
  uint32_t refused; /* 1: not all of it is RAM that may be written; nothing was */
  uint8_t reserved[44];
};
HV_SIZE(hv_store_done, HV_CELL_PAYLOAD_BYTES);
HV_OFFSET(hv_store_done, refused, 0);

struct hv_bytes {
  uint32_t length; /* 1 to HV_BYTES_MAX */
  uint8_t bytes[44];
};
HV_SIZE(hv_bytes, HV_CELL_PAYLOAD_BYTES);
HV_OFFSET(hv_bytes, length, 0);
HV_OFFSET(hv_bytes, bytes, 4);
#define HV_BYTES_MAX 44u

struct hv_credit {
  uint32_t bytes;
  uint8_t reserved[44];
};
HV_SIZE(hv_credit, HV_CELL_PAYLOAD_BYTES);
HV_OFFSET(hv_credit, bytes, 0);

#endif /* HV_ABI_MESSAGE_H_ */
