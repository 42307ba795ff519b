#include "bench/ring_bench/bench_channel.h"

#include "abi/endpoint.h"
#include "base/check.h"

namespace hv::bench {
namespace {

constexpr uint32_t kSideA = HV_ENDPOINT(HV_ROLE_KERNEL, 0);
constexpr uint32_t kSideB = HV_ENDPOINT(HV_ROLE_TIMER, 0);
constexpr uint32_t kEpoch = 1;

ring::ChannelView Open(const ring::Mapping& mapping, uint32_t self, uint32_t peer) {
  auto view = ring::OpenChannel(mapping.bytes(), self, peer);
  CHECK(view.ok());
  return *view;
}

}  // namespace

BenchChannel::BenchChannel() : mapping_(SharedMemory(HV_CHANNEL_BYTES(kCapacity))) {
  ring::FormatChannel(mapping_.bytes(), kSideA, kSideB, kEpoch, kCapacity);
  a_ = Open(mapping_, kSideA, kSideB);
  b_ = Open(mapping_, kSideB, kSideA);
}

}  // namespace hv::bench
