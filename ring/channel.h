// A mapped channel: the segment two peers share, checked once, then known to be in bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "abi/channel.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hv::ring {

// One direction: `capacity` cells and the control line of the consumer's position.
struct RingView {
  hv_cell* cells = nullptr;
  hv_ring_control* control = nullptr;
  uint32_t capacity = 0;  // a power of two
  uint16_t epoch = 0;     // what a cell of this channel carries

  hv_cell& Slot(uint64_t position) const { return cells[position & (capacity - 1)]; }
};

// Both directions as seen from one side.
struct ChannelView {
  RingView outbound;
  RingView inbound;
};

// The channel of `self` with `peer` in `segment`, which stays mapped as long as the views are used.
// The header is copied once and checked: kind and size of the segment, ABI major (both majors are
// named when they differ), ends, capacity. Everything later is computed from the copy.
absl::StatusOr<ChannelView> OpenChannel(std::span<std::byte> segment, uint32_t self, uint32_t peer);

// Writes the header of a new channel into zeroed memory of HV_CHANNEL_BYTES(capacity).
// REQUIRES: capacity is a power of two within the limits of abi/channel.h.
void FormatChannel(std::span<std::byte> segment, uint32_t side_a, uint32_t side_b, uint32_t epoch,
                   uint32_t capacity);

}  // namespace hv::ring
