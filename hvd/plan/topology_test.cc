#include "hvd/plan/topology.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <set>

#include "abi/channel.h"
#include "abi/endpoint.h"
#include "abi/message.h"
#include "abi/state.h"
#include "service/admission.h"

namespace hv::hvd {
namespace {

bool Joined(const Topology& topology, uint32_t role_one, uint32_t role_other) {
  return std::any_of(topology.channels.begin(), topology.channels.end(), [&](const auto& channel) {
    const uint32_t a = HV_ENDPOINT_ROLE(channel.side_a);
    const uint32_t b = HV_ENDPOINT_ROLE(channel.side_b);
    return (a == role_one && b == role_other) || (a == role_other && b == role_one);
  });
}

TEST(TopologyTest, EveryVcpuReachesEveryServiceOnItsOwnChannel) {
  const Topology topology = PlanTopology(3);
  ASSERT_EQ(topology.vcpus.size(), 3u);
  for (uint32_t vcpu : topology.vcpus) {
    const auto count = std::count_if(topology.channels.begin(), topology.channels.end(),
                                     [&](const auto& channel) { return channel.side_a == vcpu; });
    EXPECT_EQ(count, ssize_t(topology.services.size()));
  }
}

TEST(TopologyTest, NoTwoChannelsJoinTheSamePair) {
  std::set<std::pair<uint32_t, uint32_t>> pairs;
  for (const auto& channel : PlanTopology(HV_MAX_VCPUS).channels) {
    EXPECT_LT(channel.side_a, channel.side_b);
    EXPECT_TRUE(pairs.emplace(channel.side_a, channel.side_b).second);
  }
}

TEST(TopologyTest, CapacitiesHoldAWholeOutboxAndAreLegal) {
  for (const auto& channel : PlanTopology(1).channels) {
    EXPECT_TRUE(std::has_single_bit(channel.capacity));
    EXPECT_GT(channel.capacity, HV_OUTBOX_CELLS);
    EXPECT_LE(channel.capacity, HV_RING_MAX_CELLS);
  }
}

TEST(TopologyTest, NoServiceHasMoreChannelsThanItsStateCanName) {
  const Topology topology = PlanTopology(HV_MAX_VCPUS);
  for (uint32_t service : topology.services) {
    const auto count =
        std::count_if(topology.channels.begin(), topology.channels.end(), [&](const auto& channel) {
          return channel.side_a == service || channel.side_b == service;
        });
    EXPECT_LE(count, ssize_t(HV_MAX_CHANNELS));
  }
}

// A pair of roles is joined if and only if the wire has something for them to say, apart from
// messages that no part sends today.
TEST(TopologyTest, ChannelsAreThoseTheWireHasMessagesFor) {
  const Topology topology = PlanTopology(1);
  for (uint32_t one = HV_ROLE_KERNEL; one < HV_ROLE_COUNT; ++one) {
    for (uint32_t other = one + 1; other < HV_ROLE_COUNT; ++other) {
      bool can_talk = false;
      for (uint16_t kind = 1; kind < HV_KIND_COUNT; ++kind) {
        // Message-signalled interrupts of these two devices: a 16550 and PM1 have lines only.
        if (kind == HV_KIND_INTERRUPT) continue;
        can_talk = can_talk || service::MayReceive(one, other, kind) ||
                   service::MayReceive(other, one, kind);
      }
      EXPECT_EQ(Joined(topology, one, other), can_talk) << one << " and " << other;
    }
  }
}

TEST(TopologyTest, VcpusShareAProcessAndServicesDoNot) {
  EXPECT_EQ(ProcessOf(HV_ENDPOINT(HV_ROLE_KERNEL, 5)), HV_ENDPOINT(HV_ROLE_KERNEL, 0));
  EXPECT_EQ(ProcessOf(HV_ENDPOINT(HV_ROLE_SERIAL, 1)), HV_ENDPOINT(HV_ROLE_SERIAL, 1));
}

}  // namespace
}  // namespace hv::hvd
