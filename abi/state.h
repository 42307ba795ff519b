/* The state segment: a service's whole state, outliving its process, changed by one store. */
#ifndef HV_ABI_STATE_H_
#define HV_ABI_STATE_H_

#include <stdint.h>

#include "abi/cell.h"
#include "abi/layout.h"
#include "abi/version.h"

#define HV_MAX_CHANNELS 80u /* channels of one service */
#define HV_OUTBOX_CELLS 64u /* messages one step may send */
#define HV_STATE_MAX_BYTES (1u << 20)

/* One message of a step, with the place where it goes. Publishing it again changes nothing. */
struct hv_outbox_entry {
  uint32_t channel; /* index in the service's manifest */
  uint32_t reserved;
  uint64_t position;
  uint64_t reserved1[6];
  struct hv_cell cell; /* as it will stand in the ring, stamp included */
};
HV_SIZE(hv_outbox_entry, 128);
HV_OFFSET(hv_outbox_entry, channel, 0);
HV_OFFSET(hv_outbox_entry, position, 8);
HV_OFFSET(hv_outbox_entry, cell, 64);

/* One of the two copies. `consumed[i]` and `produced[i]` are positions in the inbound and outbound
 * ring of channel i. state bytes follow the struct. */
struct hv_state_copy {
  uint64_t consumed[HV_MAX_CHANNELS];
  uint64_t produced[HV_MAX_CHANNELS];
  uint64_t wake_at_ns; /* when the service wants its next tick; UINT64_MAX: never */
  uint64_t now_ns;     /* machine time of the last step; time never goes back across a restart */
  uint64_t steps;
  uint32_t outbox_count;
  uint32_t reserved[9];
  struct hv_outbox_entry outbox[HV_OUTBOX_CELLS];
};
HV_SIZE(hv_state_copy, 1344 + HV_OUTBOX_CELLS * 128);
HV_OFFSET(hv_state_copy, consumed, 0);
HV_OFFSET(hv_state_copy, produced, 640);
HV_OFFSET(hv_state_copy, wake_at_ns, 1280);
HV_OFFSET(hv_state_copy, now_ns, 1288);
HV_OFFSET(hv_state_copy, steps, 1296);
HV_OFFSET(hv_state_copy, outbox_count, 1304);
HV_OFFSET(hv_state_copy, outbox, 1344);

/* Why a cell was refused: `refused` of the header, by kind; hv_kernel counts likewise. */
enum hv_refusal {
  HV_REFUSAL_STAMP = 0,     /* a stamp that no honest producer writes there */
  HV_REFUSAL_EPOCH = 1,     /* of another epoch of the channel */
  HV_REFUSAL_KIND = 2,      /* its sender may not send this kind here */
  HV_REFUSAL_CONTENT = 3,   /* what it says cannot be */
  HV_REFUSAL_RECIPIENT = 4, /* sent by the service itself, to no peer of this machine */
  HV_REFUSAL_ANSWER = 5,    /* to a request that nobody has made; hv_kernel only */
  HV_REFUSAL_COUNT = 6
};

/* A message by its place, as one word, so that one store changes it. */
#define HV_IN_HAND(channel, position) (((uint64_t)(position) << 16) | ((uint64_t)(channel) + 1u))
#define HV_IN_HAND_MESSAGE (~(uint64_t)0xff00)
#define HV_IN_HAND_DEATH ((uint64_t)0x100) /* added once for each death; suspects only */
#define HV_IN_HAND_DEATHS(word) (((word) >> 8) & 0xffu)
#define HV_IN_HAND_CHANNEL(word) (((word)&0xffu) - 1u)
#define HV_IN_HAND_POSITION(word) ((word) >> 16)
#define HV_SUSPECTS 4u

/*
 *     0  header, role, epoch, state layout and size
 *    64  commit word, alone in its cache line
 *   128  progress counters, written by the service, read by hvd
 *   192  refused cells, likewise
 *   256  what it has in hand, and when it took over
 *  1024  faults on purpose (abi/fault.h)
 *  4096  copy 0, then copy 1, each HV_STATE_COPY_BYTES(state_bytes)
 *
 * commit: number of committed steps. Its low bit names the current copy. A step works on the other
 * copy and ends with one release store of commit + 1. Who attaches reads it with acquire, publishes
 * the outbox of the current copy again, and goes on. 0 means that nobody has attached yet: the
 * first step is to reset the state.
 *
 * in_hand: HV_IN_HAND of the message whose step is being made, stored before the core sees it; 0:
 * none. Who attaches and finds one there that is not consumed knows of what its predecessor died,
 * and counts that among the suspects. A message that was so found HV_POISON_DEATHS times is not
 * shown to the core again: it is answered as absent hardware would answer.
 */
#define HV_POISON_DEATHS 3u
struct hv_state_header {
  struct hv_segment_header header;
  uint32_t role;         /* enum hv_role */
  uint32_t epoch;        /* of the process that may write; hvd raises it before each attach */
  uint32_t state_bytes;  /* size of the state proper */
  uint32_t state_layout; /* the service's own layout version */
  uint8_t reserved0[32];
  uint64_t commit;
  uint8_t reserved1[56];
  uint64_t received;    /* messages taken */
  uint64_t sent;        /* messages published */
  uint64_t heartbeat;   /* raised at each turn of the poll loop that has looked at its channels */
  uint64_t waiting;     /* 1 while asleep with nothing to do */
  uint64_t quarantined; /* messages answered as by absent hardware */
  uint64_t last_quarantined; /* the sender's endpoint in the high half, the kind in the low one */
  uint8_t reserved2[16];
  uint64_t refused[HV_REFUSAL_COUNT];
  uint8_t reserved3[16];
  uint64_t in_hand;
  uint64_t suspects[HV_SUSPECTS]; /* HV_IN_HAND with deaths; 0: none */
  /* Machine time. hvd stores 0 before each attach. */
  uint64_t recovered_at_ns;     /* attached, published again, about to look for messages */
  uint64_t first_message_at_ns; /* the first step since then was committed */
  uint8_t reserved4[8];
};
HV_SIZE(hv_state_header, 320);
HV_OFFSET(hv_state_header, role, 16);
HV_OFFSET(hv_state_header, epoch, 20);
HV_OFFSET(hv_state_header, state_bytes, 24);
HV_OFFSET(hv_state_header, state_layout, 28);
HV_OFFSET(hv_state_header, commit, 64);
HV_OFFSET(hv_state_header, received, 128);
HV_OFFSET(hv_state_header, sent, 136);
HV_OFFSET(hv_state_header, heartbeat, 144);
HV_OFFSET(hv_state_header, waiting, 152);
HV_OFFSET(hv_state_header, quarantined, 160);
HV_OFFSET(hv_state_header, last_quarantined, 168);
HV_OFFSET(hv_state_header, refused, 192);
HV_OFFSET(hv_state_header, in_hand, 256);
HV_OFFSET(hv_state_header, suspects, 264);
HV_OFFSET(hv_state_header, recovered_at_ns, 296);
HV_OFFSET(hv_state_header, first_message_at_ns, 304);

#define HV_STATE_COPIES_OFFSET 4096u
#define HV_STATE_COPY_BYTES(state_bytes) \
  ((sizeof(struct hv_state_copy) + (uint64_t)(state_bytes) + 63u) / 64u * 64u)
#define HV_STATE_SEGMENT_BYTES(state_bytes) \
  (HV_STATE_COPIES_OFFSET + 2u * HV_STATE_COPY_BYTES(state_bytes))

#endif /* HV_ABI_STATE_H_ */
