#include "hvd/streams/ring_drain.h"

#include "ring/channel.h"
#include "ring/producer.h"
#include "ring/segment.h"
#include "ring/shared_store.h"

namespace hv::hvd {

bool HasTakenAll(const SegmentSet& segments, const std::vector<uint32_t>& vcpus, uint32_t service) {
  for (uint32_t vcpu : vcpus) {
    const OwnedSegment* channel = segments.Find(HV_SEGMENT_CHANNEL, vcpu, service);
    if (channel == nullptr) continue;
    const auto mapping = ring::Mapping::Map(channel->fd.get(), channel->bytes, /*writable=*/false);
    if (!mapping.ok()) continue;
    const auto view = ring::OpenChannel(mapping->bytes(), service, vcpu);
    if (!view.ok()) continue;
    // Pairs with Consumer::Acknowledge.
    const uint64_t consumed = ring::LoadAcquire(view->inbound.control->consumed);
    if (consumed != ring::Producer::RecoverPosition(view->inbound)) return false;
  }
  return true;
}

}  // namespace hv::hvd
