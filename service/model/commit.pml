/* The commit protocol (service/committer.h) and re-attachment, with a kill possible between any two
 * steps: two services, a vCPU that asks them, rings that fill up.
 *
 * The vCPU sends numbered requests, posted or awaited, to either service. A service tells the other
 * one, by a numbered note, of each request and of ticks that come when they like; it answers what is
 * awaited. So a step sends up to two messages, on two rings, and a successor may meet tick and
 * request in another order than its predecessor did. Handling a note sends nothing: services that
 * answer each other's messages without bound could fill both rings and wait for ever.
 *
 * A process's death loses what it was about to do; `copy` and `current` are the state segment and
 * stay. A statement is one access to shared memory, or a d_step of what no other process can tell
 * apart. Stores become visible in program order, as on x86-64 and as release stores have it. A step
 * that does not fit is forgotten and made again later: here, it does not begin. Sleeping is waiting
 * for a reason to wake (every sleep of the runtime is bounded). The old process is gone before the
 * new one attaches.
 *
 * Checked:
 *   - requests and notes are handled once and in order (the receivers' counts);
 *   - an answer is that of the request that awaits it, and there is no second one;
 *   - no cell is overwritten that its consumer may yet read;
 *   - nobody waits for ever, and at rest all that was sent has been handled;
 *   - with -DPROGRESS: in every run the vCPU gets its last answer. Kills end: there are KILLS.
 *
 * Seeded defects, each of which must be found: PUBLISH_BEFORE_COMMIT, ACKNOWLEDGE_BEFORE_COMMIT,
 * FORGET_OUTBOX (a successor does not publish again), STAMP_FIRST (before the rest of the cell). */

#ifndef KILLS
#define KILLS 2
#endif
#ifndef CAPACITY
#define CAPACITY 2 /* cells of a ring */
#endif
#ifndef TICKS
#define TICKS 1 /* of service 0 */
#endif

#define REQUESTS_TO(s) (s)
#define ANSWERS_OF(s) (2 + (s))
#define NOTES_OF(s) (4 + (s))
#define RINGS 6

/* stamp: position + 1, or 0. `needed` is no part of the protocol: up to which position the consumer
 * has for good what it read. */
typedef Ring {
  byte stamp[CAPACITY];
  byte body[CAPACITY];
  byte acknowledged;
  byte needed;
};
Ring ring[RINGS];
#define SLOT(position) ((position) % CAPACITY)
#define READY(r, position) (ring[r].stamp[SLOT(position)] == (position) + 1)
#define BODY(r, position) ring[r].body[SLOT(position)]
#define HAS_ROOM(r, produced) ((produced) < ring[r].acknowledged + CAPACITY)

/* What a body says: a number of its kind, from 1. */
#define OTHER_KIND 16
#define POSTED OTHER_KIND /* a request without an answer */
#define TICK OTHER_KIND   /* a note of a tick */
#define NUMBER(body) ((body) % OTHER_KIND)

chan kill[2] = [0] of { bit };
bool answered; /* the vCPU has sent all and got all its answers */

inline store_stamp(r, position) { ring[r].stamp[SLOT(position)] = (position) + 1 }
inline store_body(r, position, value) {
  d_step {
    assert(ring[r].stamp[SLOT(position)] <= ring[r].needed || READY(r, position));
    BODY(r, position) = value
  }
}
inline publish_cell(r, position, value) {
#ifdef STAMP_FIRST
  store_stamp(r, position);
  store_body(r, position, value)
#else
  store_body(r, position, value);
  store_stamp(r, position)
#endif
}

/* One copy of a service's state. Ports: 0 is the vCPU, 1 the other service. */
typedef Copy {
  byte consumed[2];
  byte produced[2];
  byte requests; /* handled */
  byte notes;    /* of the other's requests */
  byte ticks;    /* of the other's ticks */
  byte ticked;   /* own ticks */
  byte outbox[2]; /* bodies, by port: at most one each, 0: none */
};
#define CURRENT copy[current]
#define SPARE copy[1 - current]

/* The spare copy may hold anything: also what a step left that did not come to its commit. */
#define JUNK 77
inline spoil(c) {
  c.consumed[0] = JUNK; c.consumed[1] = JUNK; c.produced[0] = JUNK; c.produced[1] = JUNK;
  c.requests = JUNK; c.notes = JUNK; c.ticks = JUNK; c.ticked = JUNK;
  c.outbox[0] = JUNK; c.outbox[1] = JUNK
}
inline prepare(to, from) {
  to.consumed[0] = from.consumed[0]; to.consumed[1] = from.consumed[1];
  to.produced[0] = from.produced[0]; to.produced[1] = from.produced[1];
  to.requests = from.requests; to.notes = from.notes;
  to.ticks = from.ticks; to.ticked = from.ticked;
  to.outbox[0] = 0; to.outbox[1] = 0
}
inline send(port, value) {
  SPARE.outbox[port] = value;
  SPARE.produced[port] = SPARE.produced[port] + 1
}

/* The core, deterministic. */
inline handle_request(value) {
  assert(NUMBER(value) == SPARE.requests + 1);
  SPARE.requests = NUMBER(value);
  send(1, NUMBER(value));
  if
  :: value < POSTED -> send(0, value)
  :: else
  fi
}
inline handle_note(value) {
  if
  :: value < TICK -> assert(value == SPARE.notes + 1); SPARE.notes = value
  :: else -> assert(NUMBER(value) == SPARE.ticks + 1); SPARE.ticks = NUMBER(value)
  fi
}
inline tick() {
  SPARE.ticked = SPARE.ticked + 1;
  send(1, TICK + SPARE.ticked)
}

inline publish(c) {
  if
  :: c.outbox[1] != 0 -> publish_cell(NOTES_OF(self), c.produced[1] - 1, c.outbox[1])
  :: else
  fi;
  if
  :: c.outbox[0] != 0 -> publish_cell(ANSWERS_OF(self), c.produced[0] - 1, c.outbox[0])
  :: else
  fi
}
inline acknowledge(c) {
  ring[REQUESTS_TO(self)].acknowledged = c.consumed[0];
  ring[NOTES_OF(1 - self)].acknowledged = c.consumed[1]
}
inline commit_and_publish() {
#ifdef ACKNOWLEDGE_BEFORE_COMMIT
  acknowledge(SPARE);
#endif
#ifdef PUBLISH_BEFORE_COMMIT
  publish(SPARE);
#endif
  d_step {
    current = 1 - current;
    spoil(SPARE);
    ring[REQUESTS_TO(self)].needed = CURRENT.consumed[0];
    ring[NOTES_OF(1 - self)].needed = CURRENT.consumed[1]
  };
#ifndef PUBLISH_BEFORE_COMMIT
  publish(CURRENT)
#endif
}
#define FITS(port) HAS_ROOM((port == 0 -> ANSWERS_OF(self) : NOTES_OF(self)), CURRENT.produced[port])

proctype Service(bit self) {
  Copy copy[2];
  bit current;
  d_step { spoil(copy[1]) }
attach:
  {
#ifndef FORGET_OUTBOX
    publish(CURRENT);
#endif
    acknowledge(CURRENT);
end_asleep:
    do
    :: self == 0 && CURRENT.ticked < TICKS && FITS(1) ->
      d_step { prepare(SPARE, CURRENT); tick() };
      commit_and_publish()
    :: READY(REQUESTS_TO(self), CURRENT.consumed[0]) && FITS(0) && FITS(1) ->
      d_step {
        prepare(SPARE, CURRENT);
        SPARE.consumed[0] = SPARE.consumed[0] + 1;
        handle_request(BODY(REQUESTS_TO(self), CURRENT.consumed[0]))
      };
      commit_and_publish()
    :: READY(NOTES_OF(1 - self), CURRENT.consumed[1]) ->
      d_step {
        prepare(SPARE, CURRENT);
        SPARE.consumed[1] = SPARE.consumed[1] + 1;
        handle_note(BODY(NOTES_OF(1 - self), CURRENT.consumed[1]))
      };
      commit_and_publish()
    :: ring[REQUESTS_TO(self)].acknowledged != CURRENT.consumed[0] ||
           ring[NOTES_OF(1 - self)].acknowledged != CURRENT.consumed[1] ->
      acknowledge(CURRENT)
    od
  } unless {
    atomic { kill[self] ? _ ; goto attach }
  }
}

proctype Killer() {
  byte left = KILLS;
end_enough:
  do
  :: left > 0 -> kill[0] ! 0; left--
  :: left > 0 -> kill[1] ! 0; left--
  od
}

/* hv_kernel, which is not killed. */
inline request(to, value) {
  assert(!READY(ANSWERS_OF(to), received[to]));
  HAS_ROOM(REQUESTS_TO(to), sent[to]);
  publish_cell(REQUESTS_TO(to), sent[to], sent[to] + 1 + value);
  sent[to]++
}
inline await(from) {
  READY(ANSWERS_OF(from), received[from]);
  d_step {
    assert(BODY(ANSWERS_OF(from), received[from]) == sent[from]);
    received[from]++;
    ring[ANSWERS_OF(from)].needed = received[from]
  };
  ring[ANSWERS_OF(from)].acknowledged = received[from]
}
proctype Vcpu() {
  byte sent[2];
  byte received[2];
  request(0, POSTED);
  request(0, 0);
  await(0);
  request(1, 0);
  await(1);
  request(0, 0);
  await(0);
  answered = true;
#ifndef PROGRESS
end_answered:
  if
  :: READY(ANSWERS_OF(0), received[0]) || READY(ANSWERS_OF(1), received[1]) -> assert(false)
  :: timeout ->
    assert(ring[REQUESTS_TO(0)].needed == sent[0] && ring[REQUESTS_TO(1)].needed == sent[1]);
    assert(ring[NOTES_OF(0)].needed == sent[0] + TICKS && ring[NOTES_OF(1)].needed == sent[1])
  fi
#endif
}

init {
  atomic { run Service(0); run Service(1); run Vcpu(); run Killer() }
}

#ifdef PROGRESS
ltl progress { <> answered }
#endif
