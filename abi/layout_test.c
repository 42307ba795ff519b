/* The layout of the wire as another language would compute it: from the comments of the headers, in
 * numbers, without the headers' own structs. Sizes and offsets of the structs are asserted in the
 * headers themselves; that each header compiles alone, as C and as C++, is a dependency of this. */
#include <stdio.h>

#include "abi/channel.h"
#include "abi/endpoint.h"
#include "abi/fault.h"
#include "abi/message.h"
#include "abi/state.h"

static int failures = 0;

static void Expect(const char* what, unsigned long long is, unsigned long long expected) {
  if (is == expected) return;
  printf("%s: %llu, expected %llu\n", what, is, expected);
  ++failures;
}

int main(void) {
  Expect("channel of 16 cells", HV_CHANNEL_BYTES(16), 4096 + 2 * 16 * 64);
  Expect("channel of 65536 cells", HV_CHANNEL_BYTES(65536), 4096 + 2ull * 65536 * 64);
  Expect("copy of no state", HV_STATE_COPY_BYTES(0), 1344 + 64 * 128);
  Expect("copy of 1 byte of state", HV_STATE_COPY_BYTES(1), 1344 + 64 * 128 + 64);
  Expect("copy of 64 bytes of state", HV_STATE_COPY_BYTES(64), 1344 + 64 * 128 + 64);
  Expect("state segment of 65 bytes of state", HV_STATE_SEGMENT_BYTES(65),
         4096 + 2 * (1344 + 64 * 128 + 128));
  Expect("message 5 of channel 2, in hand", HV_IN_HAND(2, 5), 0x50003);
  Expect("its deaths", HV_IN_HAND_DEATHS(0x50003 + 2 * HV_IN_HAND_DEATH), 2);
  Expect("its channel", HV_IN_HAND_CHANNEL(0x50203u), 2);
  Expect("its position", HV_IN_HAND_POSITION(0x50203u), 5);
  Expect("faults end before the copies", HV_FAULTS_OFFSET + sizeof(struct hv_fault_table) <= 4096,
         1);
  Expect("endpoint", HV_ENDPOINT(HV_ROLE_SERIAL, 3), 0x60003);
  Expect("role of an endpoint", HV_ENDPOINT_ROLE(0x60003), HV_ROLE_SERIAL);
  Expect("instance of an endpoint", HV_ENDPOINT_INSTANCE(0x60003), 3);
  /* Bytes as they lie in memory: little-endian, no padding before the payload. */
  const struct hv_cell cell = {.stamp = 0x0102030405060708, .kind = 0x1122, .tag = 0x33445566};
  const unsigned char* bytes = (const unsigned char*)&cell;
  Expect("first byte of the stamp", bytes[0], 0x08);
  Expect("first byte of the kind", bytes[8], 0x22);
  Expect("first byte of the tag", bytes[12], 0x66);
  Expect("last kind fits a cell", HV_KIND_COUNT <= UINT16_MAX, 1);
  return failures != 0;
}
