// A machine of one service, as a supervisor makes it: segments, manifest, and the peers' ends of
// the rings in the test's hands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "abi/endpoint.h"
#include "abi/state.h"
#include "base/unique_fd.h"
#include "proto/hv/v1/manifest.pb.h"
#include "ring/consumer.h"
#include "ring/producer.h"
#include "ring/segment.h"
#include "ring/wake.h"

namespace hv::service {

// The service is a timer_svc; its peers are a vCPU thread, vcpu_svc and ioapic_svc.
class TestMachine {
 public:
  static constexpr uint32_t kSelf = HV_ENDPOINT(HV_ROLE_TIMER, 0);
  static constexpr uint32_t kVcpuThread = HV_ENDPOINT(HV_ROLE_KERNEL, 0);
  static constexpr uint32_t kVcpu = HV_ENDPOINT(HV_ROLE_VCPU, 0);
  static constexpr uint32_t kIoapic = HV_ENDPOINT(HV_ROLE_IOAPIC, 0);
  static constexpr uint32_t kCapacity = 128;

  // A peer's end of its channel with the service.
  class Peer {
   public:
    Peer(const ring::ChannelView& view, hv_wake* own, hv_wake* service);
    // Waits for room.
    void Send(uint16_t kind, uint32_t tag, const void* payload, size_t bytes);
    // Waits for the next message and acknowledges it; nothing after `timeout_ns`.
    std::optional<hv_cell> Receive(uint64_t timeout_ns = 20'000'000'000);
    std::optional<hv_cell> TryReceive();

   private:
    ring::Producer producer_;
    ring::Consumer consumer_;
    ring::Sleeper sleeper_;
    ring::Waker waker_;
  };

  TestMachine();

  // The manifest for a process of `epoch`, and the descriptors it names. The last descriptor is
  // `control`, on which the process is to serve gRPC.
  hv::v1::Manifest Manifest(uint32_t epoch, int control, std::vector<int>& fds) const;
  // Fences: processes of earlier epochs are refused from here on.
  void SetEpoch(uint32_t epoch);

  Peer& vcpu_thread() { return *vcpu_thread_; }
  Peer& vcpu() { return *vcpu_; }
  Peer& ioapic() { return *ioapic_; }
  hv_state_header& state() { return *segments_[kStateIndex].mapping.As<hv_state_header>(); }
  // Names of the segments as /proc/PID/maps shows them.
  std::vector<std::string> SegmentNames() const;

 private:
  static constexpr size_t kStateIndex = 0;
  struct Segment {
    uint32_t kind;
    uint32_t endpoint;
    uint32_t peer;
    std::string name;
    uint64_t bytes;
    UniqueFd fd;
    ring::Mapping mapping;
  };
  Segment& Add(uint32_t kind, uint32_t endpoint, uint32_t peer, const std::string& name,
               uint64_t bytes);
  void Join(uint32_t peer, const std::string& name, std::optional<Peer>& end);
  hv_wake* Wake(uint32_t endpoint);

  std::vector<Segment> segments_;
  std::optional<Peer> vcpu_thread_;
  std::optional<Peer> vcpu_;
  std::optional<Peer> ioapic_;
};

}  // namespace hv::service
