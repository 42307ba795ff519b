// A line over the ring pair of one channel.
#pragma once

#include <cstdint>

#include "hv_kernel/line.h"
#include "hv_kernel/run_control.h"
#include "hv_kernel/statistics.h"
#include "ring/channel.h"
#include "ring/consumer.h"
#include "ring/producer.h"
#include "ring/wake.h"

namespace hv {

class RingLine final : public Line {
 public:
  struct Ends {
    ring::ChannelView view;
    uint32_t peer_role;  // of the service
    ring::Waker peer;
    ring::Sleeper self;
  };

  RingLine(const Ends& ends, const RunControl& control, Statistics& statistics);

  std::optional<service::Payload> Call(uint16_t kind, uint16_t answer_kind,
                                       const service::Payload& payload) override;
  bool Post(uint16_t kind, const service::Payload& payload) override;

 private:
  static constexpr uint32_t kAccepted = HV_REFUSAL_COUNT;

  bool Send(uint16_t kind, uint32_t tag, const service::Payload& payload);
  // Of enum hv_refusal, or kAccepted: the answer that is awaited.
  uint32_t RefusalOf(ring::PeekResult result, const hv_cell& cell, uint16_t answer_kind,
                     uint32_t tag) const;
  void LookForBadStamp();
  // Spins, then sleeps, until `ready()`; false when the machine is stopping.
  template <typename Ready>
  bool WaitUntil(Ready ready);

  ring::Producer producer_;
  ring::Consumer consumer_;
  const uint32_t peer_role_;
  ring::Waker peer_;
  ring::Sleeper self_;
  const RunControl& control_;
  Statistics& statistics_;
  uint32_t next_tag_ = 1;
  uint64_t bad_stamp_at_ = UINT64_MAX;  // position of the last one counted
};

}  // namespace hv
