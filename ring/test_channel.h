// A channel in this process's memory with both ends open, for tests.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "abi/endpoint.h"
#include "ring/channel.h"
#include "ring/consumer.h"
#include "ring/producer.h"
#include "ring/segment.h"

namespace hv::ring {

inline constexpr uint32_t kSideA = HV_ENDPOINT(HV_ROLE_TIMER, 0);
inline constexpr uint32_t kSideB = HV_ENDPOINT(HV_ROLE_IOAPIC, 0);

class TestChannel {
 public:
  explicit TestChannel(uint32_t capacity, uint32_t epoch = 1)
      : fd_(CreateSegment("test", HV_CHANNEL_BYTES(capacity)).value()),
        mapping_(Mapping::Map(fd_.get(), HV_CHANNEL_BYTES(capacity), true).value()) {
    FormatChannel(bytes(), kSideA, kSideB, epoch, capacity);
    a = OpenChannel(bytes(), kSideA, kSideB).value();
    b = OpenChannel(bytes(), kSideB, kSideA).value();
  }
  std::span<std::byte> bytes() const { return mapping_.bytes(); }

  ChannelView a;
  ChannelView b;

 private:
  UniqueFd fd_;
  Mapping mapping_;
};

// A message whose payload is filled from `number`, so that a torn copy shows.
inline hv_cell Numbered(uint64_t number) {
  hv_cell cell{};
  cell.kind = 1;
  cell.tag = static_cast<uint32_t>(number);
  auto* words = Words(cell);
  for (size_t i = 2; i < kCellWords; ++i) words[i] = number * 0x9e3779b97f4a7c15 + i;
  return cell;
}
inline bool IsNumbered(const hv_cell& cell, uint64_t number) {
  const hv_cell expected = Numbered(number);
  if (cell.kind != expected.kind || cell.tag != expected.tag) return false;
  return std::memcmp(cell.payload, expected.payload, sizeof(cell.payload)) == 0;
}

}  // namespace hv::ring
