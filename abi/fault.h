/* Faults on purpose: what a service's runtime is to do wrong, where and how often. The table lies
 * in the first page of the state segment; hvd writes plans, the runtime carries them out and
 * counts. It outlives the process, so that a plan goes on in the successor. */
#ifndef HV_ABI_FAULT_H_
#define HV_ABI_FAULT_H_

#include <stdint.h>

#include "abi/layout.h"

#define HV_FAULTS_OFFSET 1024u /* in the state segment */
#define HV_FAULTS 16u          /* plans at a time */

/* Places of the runtime. A pass is one time that the runtime comes by. */
enum hv_fault_point {
  HV_FAULT_POINT_NONE = 0,
  /* Of a step: a message or a tick. */
  HV_FAULT_POINT_AFTER_RECEIVE = 1, /* copied and admitted, or the tick is due; nothing is done */
  HV_FAULT_POINT_BEFORE_COMMIT = 2, /* the spare copy is complete */
  HV_FAULT_POINT_AFTER_COMMIT = 3,  /* committed, nothing published */
  HV_FAULT_POINT_MID_PUBLISH = 4,   /* the middle one of its cells lacks only its stamp */
  HV_FAULT_POINT_BEFORE_ACKNOWLEDGE = 5,
  /* Of what it has to do with its peers. */
  HV_FAULT_POINT_SEND = 6, /* a step has a message for a peer */
  HV_FAULT_POINT_WAKE = 7, /* a peer is to be woken */
  HV_FAULT_POINT_TURN = 8, /* the loop is about to look at its channels */
  /* Of its control endpoint, on a thread of that: a call has come in. */
  HV_FAULT_POINT_CONTROL = 9,
  HV_FAULT_POINT_COUNT = 10
};

enum hv_fault_action {
  HV_FAULT_ACTION_NONE = 0,
  /* At the points of a step, and at CONTROL. */
  HV_FAULT_ACTION_KILL = 1,          /* SIGKILL */
  HV_FAULT_ACTION_STOP = 2,          /* SIGSTOP */
  HV_FAULT_ACTION_SEGV = 3,          /* SIGSEGV */
  HV_FAULT_ACTION_ABORT = 4,         /* SIGABRT */
  HV_FAULT_ACTION_EXIT = 5,          /* argument: exit status */
  HV_FAULT_ACTION_HANG = 6,          /* an endless loop */
  HV_FAULT_ACTION_DELAY = 7,         /* argument: nanoseconds */
  HV_FAULT_ACTION_OUT_OF_MEMORY = 8, /* every allocation fails from here on */
  /* At SEND: a forged cell goes before the peer's next one, which comes as it should. */
  HV_FAULT_ACTION_FORGE_STAMP = 9,    /* a stamp from nowhere stands in the slot for a moment */
  HV_FAULT_ACTION_FORGE_EPOCH = 10,   /* of another epoch of the channel */
  HV_FAULT_ACTION_FORGE_KIND = 11,    /* a kind that the service may not send to that peer */
  HV_FAULT_ACTION_FORGE_CONTENT = 12, /* a length, number or width out of its range */
  HV_FAULT_ACTION_FORGE_ANSWER = 13,  /* to a request that was never made */
  HV_FAULT_ACTION_FORGE_BIT = 14,     /* the message with a bit of its kind or epoch flipped */
  /* At WAKE. */
  HV_FAULT_ACTION_DROP_WAKE = 15,
  HV_FAULT_ACTION_DOUBLE_WAKE = 16,
  /* At TURN: it turns its loop and takes nothing. argument: nanoseconds, 0: for ever. */
  HV_FAULT_ACTION_STICK = 17,
  /* At the points of a step, and at CONTROL. */
  HV_FAULT_ACTION_DEADLOCK = 18, /* waits for ever */
  HV_FAULT_ACTION_COUNT = 19
};

/* One plan. hvd stores `id` last, with release, and 0 to end it; the runtime loads it first, with
 * acquire. `passes` and `fired` are the runtime's: stored before the fault takes effect, so that a
 * successor goes on counting where its predecessor died. */
struct hv_fault {
  uint32_t id;     /* 0: none */
  uint16_t point;  /* enum hv_fault_point */
  uint16_t action; /* enum hv_fault_action */
  uint16_t kind;   /* enum hv_kind of the step's message; HV_KIND_NONE: any step, ticks too */
  uint16_t reserved0;
  uint32_t times; /* fires so often at most; 0: without bound */
  uint64_t every; /* each every-th pass; 0: by chance, see `rate` */
  uint64_t rate;  /* every = 0: the chance of a pass in 2^-32 */
  uint64_t seed;  /* of the chances, and of what forgeries look like */
  uint64_t argument;
  uint64_t passes;
  uint64_t fired;
};
HV_SIZE(hv_fault, 64);
HV_OFFSET(hv_fault, id, 0);
HV_OFFSET(hv_fault, point, 4);
HV_OFFSET(hv_fault, action, 6);
HV_OFFSET(hv_fault, kind, 8);
HV_OFFSET(hv_fault, times, 12);
HV_OFFSET(hv_fault, every, 16);
HV_OFFSET(hv_fault, rate, 24);
HV_OFFSET(hv_fault, seed, 32);
HV_OFFSET(hv_fault, argument, 40);
HV_OFFSET(hv_fault, passes, 48);
HV_OFFSET(hv_fault, fired, 56);

struct hv_fault_table {
  uint32_t armed; /* plans with an id; 0: the runtime looks no further */
  uint32_t reserved[15];
  struct hv_fault faults[HV_FAULTS];
};
HV_SIZE(hv_fault_table, 64 + HV_FAULTS * 64);
HV_OFFSET(hv_fault_table, armed, 0);
HV_OFFSET(hv_fault_table, faults, 64);

#endif /* HV_ABI_FAULT_H_ */
