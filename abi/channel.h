/* A channel: the segment two peers share, with one ring each way. No third process maps it. */
#ifndef HV_ABI_CHANNEL_H_
#define HV_ABI_CHANNEL_H_

#include <stdint.h>

#include "abi/cell.h"
#include "abi/layout.h"
#include "abi/version.h"

/* A ring's control line. `consumed` is the number of cells the consumer has taken and committed
 * (the acknowledgement). The producer reads it only when it believes the ring to be full, so it is
 * off the hot path. Positions never wrap: 2^64 messages outlive the machine. */
struct hv_ring_control {
  uint64_t consumed;    /* written by the consumer, release; read by the producer, acquire */
  uint8_t reserved[56]; /* zero */
};
HV_SIZE(hv_ring_control, 64);
HV_OFFSET(hv_ring_control, consumed, 0);

/*
 *      0  header          16 bytes
 *     16  side_a, side_b  endpoints (abi/endpoint.h)
 *     24  epoch, capacity
 *     64  control of ring A to B
 *    128  control of ring B to A
 *    192  reserved, zero
 *   4096  cells of ring A to B     capacity * 64 bytes
 *    ...  cells of ring B to A     capacity * 64 bytes
 *
 * The header is written by hvd before either peer sees the segment and never changes afterwards;
 * a peer copies it once, checks it against its manifest, and uses the copy.
 */
struct hv_channel_header {
  struct hv_segment_header header;
  uint32_t side_a;
  uint32_t side_b;
  uint32_t epoch;
  uint32_t capacity; /* cells each way; a power of two, HV_RING_MIN_CELLS to HV_RING_MAX_CELLS */
  uint8_t reserved[32];
  struct hv_ring_control a_to_b;
  struct hv_ring_control b_to_a;
};
HV_SIZE(hv_channel_header, 192);
HV_OFFSET(hv_channel_header, side_a, 16);
HV_OFFSET(hv_channel_header, side_b, 20);
HV_OFFSET(hv_channel_header, epoch, 24);
HV_OFFSET(hv_channel_header, capacity, 28);
HV_OFFSET(hv_channel_header, a_to_b, 64);
HV_OFFSET(hv_channel_header, b_to_a, 128);

#define HV_RING_MIN_CELLS 16u
#define HV_RING_MAX_CELLS 65536u
#define HV_CHANNEL_CELLS_OFFSET 4096u
#define HV_CHANNEL_BYTES(capacity) \
  (HV_CHANNEL_CELLS_OFFSET + 2ull * (uint64_t)(capacity)*HV_CELL_BYTES)

#endif /* HV_ABI_CHANNEL_H_ */
