// hvd's ends of the rings with serial_svc and power_svc: console bytes under credit, the power
// button. The endpoint HV_ENDPOINT(HV_ROLE_HOST, 0).
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "hvd/console_hub.h"
#include "hvd/segment_set.h"
#include "ring/channel.h"
#include "ring/consumer.h"
#include "ring/producer.h"
#include "ring/wake.h"

namespace hv::hvd {

// One thread; hostile peers can cost it time and console bytes, no more.
class HostPort {
 public:
  // Maps the host's segments of `segments`.
  static absl::StatusOr<HostPort> Open(const SegmentSet& segments);

  // Moves what can be moved now, both ways: output as far as the hub has room, credit for what was
  // taken, input as far as there is credit. True if anything moved.
  bool Turn(ConsoleHub& hub);
  // False: power_svc's ring is full, because it has not taken earlier presses.
  bool PressPowerButton();

  ring::Sleeper sleeper() const { return ring::Sleeper(own_wake_.As<hv_wake>()); }
  // Wakes whoever sleeps in sleeper(); any thread.
  ring::Waker self_waker() const { return ring::Waker(own_wake_.As<hv_wake>()); }
  bool OutputWaiting() const { return from_serial_.Ready(); }
  uint64_t refused() const { return refused_; }

  // What serial_svc is ready to take before it gives credit (abi: its input queue is no smaller).
  static constexpr uint32_t kFirstInputCredit = 64;

 private:
  struct Link {
    ring::Mapping channel;
    ring::Mapping wake;
    ring::ChannelView view;
  };
  static absl::StatusOr<Link> OpenLink(const SegmentSet& segments, uint32_t peer);

  HostPort(ring::Mapping own_wake, Link serial, Link power);

  bool TakeOutput(ConsoleHub& hub);
  // Whether the cell was one that serial_svc may send.
  bool Accept(const hv_cell& cell, ConsoleHub& hub);
  bool GrantCredit();
  bool SendInput(ConsoleHub& hub);
  template <typename T>
  void Send(ring::Producer& producer, uint16_t kind, const T& payload, ring::Waker waker);

  ring::Mapping own_wake_;
  Link serial_;
  Link power_;
  ring::Consumer from_serial_;
  ring::Producer to_serial_;
  ring::Producer to_power_;
  uint32_t input_credit_ = kFirstInputCredit;
  uint64_t ungranted_ = 0;  // bytes taken for which serial_svc has not got its credit back
  uint64_t refused_ = 0;
};

}  // namespace hv::hvd
