#include "hvd/streams/ring_drain.h"

#include <gtest/gtest.h>

#include "abi/endpoint.h"
#include "hvd/plan/topology.h"
#include "ring/channel.h"
#include "ring/consumer.h"
#include "ring/producer.h"

namespace hv::hvd {
namespace {

constexpr uint32_t kVcpu = HV_ENDPOINT(HV_ROLE_KERNEL, 1);
constexpr uint32_t kSerial = HV_ENDPOINT(HV_ROLE_SERIAL, 0);

TEST(RingDrainTest, TakenMeansAcknowledgedByTheServiceOnEveryVcpusRing) {
  const Topology topology = PlanTopology(2);
  const SegmentSet set = SegmentSet::Make(topology, 16 << 20).value();
  EXPECT_TRUE(HasTakenAll(set, topology.vcpus, kSerial)) << "nothing was ever sent";

  const OwnedSegment* channel = set.Find(HV_SEGMENT_CHANNEL, kVcpu, kSerial);
  const auto mapping = ring::Mapping::Map(channel->fd.get(), channel->bytes, true).value();
  ring::Producer vcpu(ring::OpenChannel(mapping.bytes(), kVcpu, kSerial)->outbound);
  ring::Consumer serial(ring::OpenChannel(mapping.bytes(), kSerial, kVcpu)->inbound);
  ring::DirectStores stores;
  for (int i = 0; i < 300; ++i) {  // more than once around the ring
    vcpu.Push({});
    EXPECT_FALSE(HasTakenAll(set, topology.vcpus, kSerial));
    serial.Advance();
    EXPECT_FALSE(HasTakenAll(set, topology.vcpus, kSerial)) << "taken, not acknowledged";
    serial.Acknowledge(stores);
    EXPECT_TRUE(HasTakenAll(set, topology.vcpus, kSerial));
  }
}

}  // namespace
}  // namespace hv::hvd
