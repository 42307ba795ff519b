/* A peer in C11, from the headers of abi/ and nothing else of hv: maps the channel at descriptor 3
 * as side B, answers every READ with READ_DONE and the complement of its address, and ends with
 * POWER_BUTTON. Exit status: 0, or the number of the check that failed. */
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "abi/channel.h"
#include "abi/message.h"

enum { kOk = 0, kNotMapped = 1, kNotAChannel = 2, kOtherMajor = 3, kBadCapacity = 4 };

#define CHANNEL_FD 3
#define CELL_WORDS (HV_CELL_BYTES / sizeof(uint64_t))

/* Shared words are plain uint64_t on the wire; gcc and clang give _Atomic uint64_t the same size,
 * alignment and, on x86-64, lock-free instructions. */
static _Atomic uint64_t* Atomic(void* word) { return (_Atomic uint64_t*)word; }

struct ring {
  struct hv_cell* cells;
  struct hv_ring_control* control;
  uint64_t position;
};

static uint32_t capacity;
static uint16_t epoch;

static uint64_t* Slot(const struct ring* ring) {
  return (uint64_t*)&ring->cells[ring->position & (capacity - 1)];
}

static bool Take(struct ring* ring, struct hv_cell* copy) {
  uint64_t words[CELL_WORDS];
  uint64_t* slot = Slot(ring);
  /* Pairs with the producer's release store of the stamp. */
  words[0] = atomic_load_explicit(Atomic(&slot[0]), memory_order_acquire);
  if (words[0] != ring->position + 1) return false;
  for (size_t i = 1; i < CELL_WORDS; ++i) {
    words[i] = atomic_load_explicit(Atomic(&slot[i]), memory_order_relaxed);
  }
  memcpy(copy, words, sizeof(*copy));
  ++ring->position;
  /* Pairs with the producer's acquire load when it looks for room. */
  atomic_store_explicit(Atomic(&ring->control->consumed), ring->position, memory_order_release);
  return true;
}

static void Push(struct ring* ring, struct hv_cell cell) {
  uint64_t words[CELL_WORDS];
  /* Room: pairs with the consumer's release store of what it has taken. */
  while (ring->position -
             atomic_load_explicit(Atomic(&ring->control->consumed), memory_order_acquire) >=
         capacity) {
    sched_yield();
  }
  cell.epoch = epoch;
  memcpy(words, &cell, sizeof(cell));
  uint64_t* slot = Slot(ring);
  for (size_t i = 1; i < CELL_WORDS; ++i) {
    atomic_store_explicit(Atomic(&slot[i]), words[i], memory_order_relaxed);
  }
  ++ring->position;
  /* The stamp last; pairs with the consumer's acquire load. */
  atomic_store_explicit(Atomic(&slot[0]), ring->position, memory_order_release);
}

static struct hv_cell Answer(const struct hv_cell* request) {
  struct hv_access access;
  memcpy(&access, request->payload, sizeof(access));
  const struct hv_access_done done = {.data = ~access.address};
  struct hv_cell answer = {.kind = HV_KIND_READ_DONE, .tag = request->tag};
  memcpy(answer.payload, &done, sizeof(done));
  return answer;
}

int main(void) {
  struct stat info;
  if (fstat(CHANNEL_FD, &info) != 0) return kNotMapped;
  unsigned char* base =
      mmap(NULL, (size_t)info.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, CHANNEL_FD, 0);
  if (base == MAP_FAILED) return kNotMapped;
  struct hv_channel_header header;
  memcpy(&header, base, sizeof(header));
  if (header.header.magic != HV_SEGMENT_MAGIC || header.header.segment != HV_SEGMENT_CHANNEL) {
    return kNotAChannel;
  }
  if (header.header.major != HV_ABI_MAJOR) return kOtherMajor;
  if (header.capacity < HV_RING_MIN_CELLS || header.capacity > HV_RING_MAX_CELLS ||
      (header.capacity & (header.capacity - 1)) != 0 ||
      (uint64_t)info.st_size < HV_CHANNEL_BYTES(header.capacity)) {
    return kBadCapacity;
  }
  capacity = header.capacity;
  epoch = (uint16_t)header.epoch;
  struct hv_channel_header* shared = (struct hv_channel_header*)base;
  struct hv_cell* cells = (struct hv_cell*)(base + HV_CHANNEL_CELLS_OFFSET);
  struct ring inbound = {.cells = cells, .control = &shared->a_to_b};
  struct ring outbound = {.cells = cells + capacity, .control = &shared->b_to_a};
  for (;;) {
    struct hv_cell request;
    while (!Take(&inbound, &request)) sched_yield();
    if (request.epoch != epoch) continue;
    if (request.kind == HV_KIND_POWER_BUTTON) return kOk;
    if (request.kind == HV_KIND_READ) Push(&outbound, Answer(&request));
  }
}
