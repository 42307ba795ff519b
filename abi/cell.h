/* The 64-byte cell: the unit of every ring, one cache line, one message. */
#ifndef HV_ABI_CELL_H_
#define HV_ABI_CELL_H_

#include <stddef.h>
#include <stdint.h>

#include "abi/layout.h"

#define HV_CELL_BYTES 64u
#define HV_CELL_PAYLOAD_BYTES 48u

/*
 *  63             48 47             32 31                              0
 * +-----------------------------------------------------------------+
 * |                             stamp                               |  0
 * +----------------------------------+----------------+-------------+
 * |               tag                |     epoch      |    kind     |  8
 * +----------------------------------+----------------+-------------+
 * |                       payload (48 bytes)                        | 16
 * +-----------------------------------------------------------------+
 *
 * stamp  Position of the message in its ring, plus one; 0 means never written. It is stored last,
 *        with release order, by the producer; the consumer loads it first, with acquire order. The
 *        message at position p lies in slot p modulo the ring's capacity.
 * kind   enum hv_kind (abi/message.h).
 * epoch  Low 16 bits of the channel's epoch (abi/channel.h); another epoch is refused.
 * tag    Chosen by a requester, repeated in the answer; 0 in messages that want no answer.
 */
struct hv_cell {
  uint64_t stamp;
  uint16_t kind;
  uint16_t epoch;
  uint32_t tag;
  uint8_t payload[HV_CELL_PAYLOAD_BYTES];
};
HV_SIZE(hv_cell, HV_CELL_BYTES);
HV_OFFSET(hv_cell, stamp, 0);
HV_OFFSET(hv_cell, kind, 8);
HV_OFFSET(hv_cell, epoch, 10);
HV_OFFSET(hv_cell, tag, 12);
HV_OFFSET(hv_cell, payload, 16);

#endif /* HV_ABI_CELL_H_ */
