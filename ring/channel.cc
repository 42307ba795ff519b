#include "ring/channel.h"

#include <bit>
#include <cstring>

#include "abi/version_check.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace hv::ring {
namespace {

bool ValidCapacity(uint32_t capacity) {
  return std::has_single_bit(capacity) && capacity >= HV_RING_MIN_CELLS &&
         capacity <= HV_RING_MAX_CELLS;
}

}  // namespace

absl::StatusOr<ChannelView> OpenChannel(std::span<std::byte> segment, uint32_t self,
                                        uint32_t peer) {
  hv_channel_header header;
  if (segment.size() < sizeof(header)) {
    return absl::InvalidArgumentError(
        absl::StrCat("channel: segment of ", segment.size(), " bytes is too small"));
  }
  std::memcpy(&header, segment.data(), sizeof(header));
  if (auto status = CheckSegmentHeader(header.header, HV_SEGMENT_CHANNEL); !status.ok()) {
    return status;
  }
  if (!ValidCapacity(header.capacity)) {
    return absl::InvalidArgumentError(absl::StrCat("channel: capacity of ", header.capacity,
                                                   " cells is not a power of two from ",
                                                   HV_RING_MIN_CELLS, " to ", HV_RING_MAX_CELLS));
  }
  if (segment.size() < HV_CHANNEL_BYTES(header.capacity)) {
    return absl::InvalidArgumentError(absl::StrCat("channel: segment of ", segment.size(),
                                                   " bytes cannot hold ", header.capacity,
                                                   " cells each way"));
  }
  const bool is_a = header.side_a == self && header.side_b == peer;
  const bool is_b = header.side_b == self && header.side_a == peer;
  if (!is_a && !is_b) {
    return absl::InvalidArgumentError(absl::StrCat("channel: joins 0x", absl::Hex(header.side_a),
                                                   " and 0x", absl::Hex(header.side_b), ", not 0x",
                                                   absl::Hex(self), " and 0x", absl::Hex(peer)));
  }
  auto* shared = reinterpret_cast<hv_channel_header*>(segment.data());
  auto* cells = reinterpret_cast<hv_cell*>(segment.data() + HV_CHANNEL_CELLS_OFFSET);
  const auto epoch = static_cast<uint16_t>(header.epoch);
  const RingView a_to_b{cells, &shared->a_to_b, header.capacity, epoch};
  const RingView b_to_a{cells + header.capacity, &shared->b_to_a, header.capacity, epoch};
  return is_a ? ChannelView{.outbound = a_to_b, .inbound = b_to_a}
              : ChannelView{.outbound = b_to_a, .inbound = a_to_b};
}

void FormatChannel(std::span<std::byte> segment, uint32_t side_a, uint32_t side_b, uint32_t epoch,
                   uint32_t capacity) {
  CHECK(ValidCapacity(capacity));
  CHECK(segment.size() >= HV_CHANNEL_BYTES(capacity));
  auto* header = reinterpret_cast<hv_channel_header*>(segment.data());
  header->header = {HV_SEGMENT_MAGIC, HV_SEGMENT_CHANNEL, HV_ABI_MAJOR, HV_ABI_MINOR};
  header->side_a = side_a;
  header->side_b = side_b;
  header->epoch = epoch;
  header->capacity = capacity;
}

}  // namespace hv::ring
