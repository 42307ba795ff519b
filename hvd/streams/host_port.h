// hvd's ends of the rings with serial_svc and power_svc: console bytes under credit, the power
// button. The endpoint HV_ENDPOINT(HV_ROLE_HOST, 0).
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "abi/state.h"
#include "absl/status/statusor.h"
#include "hvd/plan/segment_set.h"
#include "hvd/streams/console_hub.h"
#include "ring/channel.h"
#include "ring/consumer.h"
#include "ring/producer.h"
#include "ring/wake.h"

namespace hv::hvd {

// One thread; hostile peers can cost it time and console bytes, no more.
class HostPort {
 public:
  // Maps the host's segments of `segments`, whose rings are fresh.
  static absl::StatusOr<HostPort> Open(const SegmentSet& segments);
  // Goes on where the port of an hvd that was killed, at whatever instruction, had come to:
  // `position` is the last one its hub was told of. Each byte is taken once and its credit granted
  // once; typed bytes that had not been sent went with that hvd.
  static absl::StatusOr<HostPort> Reopen(const SegmentSet& segments, const PortPosition& position);

  // Moves what can be moved now, both ways: output as far as the hub has room, credit for what was
  // taken, input as far as there is credit. True if anything moved.
  bool Turn(ConsoleHub& hub);
  // False: power_svc's ring is full, because it has not taken earlier presses.
  bool PressPowerButton();

  ring::Sleeper sleeper() const { return ring::Sleeper(own_wake_.As<hv_wake>()); }
  // Wakes whoever sleeps in sleeper(); any thread.
  ring::Waker self_waker() const { return ring::Waker(own_wake_.As<hv_wake>()); }
  bool OutputWaiting() const { return from_serial_.Ready(); }
  // Cells of serial_svc that were refused; any thread.
  uint64_t refused(hv_refusal why) const { return ring::LoadRelaxed(refused_[why]); }
  const PortPosition& position() const { return position_; }

  // What serial_svc is ready to take before it gives credit (abi: its input queue is no smaller).
  static constexpr uint32_t kFirstInputCredit = 64;

 private:
  struct Link {
    ring::Mapping channel;
    ring::Mapping wake;
    ring::ChannelView view;
  };
  static absl::StatusOr<Link> OpenLink(const SegmentSet& segments, uint32_t peer);

  HostPort(ring::Mapping own_wake, Link serial, Link power, const PortPosition& position);
  // What the dead port sent after its last commit: one message at most.
  void RecoverSent();

  bool TakeOutput(ConsoleHub& hub);
  // Whether what the cell says can be; `output`: what it brings.
  void Count(hv_refusal why);
  void CountBadStamp();
  bool Accept(const hv_cell& cell, std::string& output);
  bool GrantCredit(ConsoleHub& hub);
  bool SendInput(ConsoleHub& hub);
  // Sends to serial_svc; the hub is told afterwards.
  template <typename T>
  void SendSerial(ConsoleHub& hub, uint16_t kind, const T& payload);

  ring::Mapping own_wake_;
  Link serial_;
  Link power_;
  // Invariant: the hub is told of a cell before serial_svc is, whose ring it then leaves.
  ring::Consumer from_serial_;
  ring::Producer to_serial_;
  ring::Producer to_power_;
  PortPosition position_;
  std::array<uint64_t, HV_REFUSAL_COUNT> refused_{};
  uint64_t bad_stamp_at_ = UINT64_MAX;  // place of the last bad stamp counted
};

}  // namespace hv::hvd
