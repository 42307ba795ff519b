// On the path of an exit: compiled to general registers alone (VcpuEngine).
#include "hv_kernel/ring_line.h"

#include <cstring>

#include "service/admission.h"

namespace hv {
namespace {

// About 50 us: as long as waking a service on another core takes (docs/PERFORMANCE.md), so that an
// answer on its way is not slept through.
constexpr int kSpins = 2000;
constexpr uint64_t kLongestSleepNs = 10'000'000;

}  // namespace

RingLine::RingLine(const Ends& ends, const RunControl& control, Statistics& statistics)
    : producer_(ends.view.outbound),
      consumer_(ends.view.inbound),
      peer_role_(ends.peer_role),
      peer_(ends.peer),
      self_(ends.self),
      control_(control),
      statistics_(statistics) {}

template <typename Ready>
bool RingLine::WaitUntil(Ready ready) {
  for (;;) {
    for (int i = 0; i < kSpins; ++i) {
      if (ready()) return true;
      __builtin_ia32_pause();
    }
    if (control_.stopping()) return false;
    LookForBadStamp();
    const uint32_t word = self_.Declare();
    if (ready()) {
      self_.Cancel();
      return true;
    }
    self_.Sleep(word, kLongestSleepNs);
  }
}

// Flattened, as Call: the ring's templates become part of it, instead of a copy that others share.
[[gnu::flatten]] bool RingLine::Send(uint16_t kind, uint32_t tag, const service::Payload& payload) {
  if (!producer_.HasRoom(1) && !WaitUntil([this] { return producer_.HasRoom(1); })) return false;
  hv_cell cell{};
  cell.kind = kind;
  cell.tag = tag;
  std::memcpy(cell.payload, payload.data(), sizeof(cell.payload));
  producer_.Push(cell);
  peer_.Wake();
  return true;
}

bool RingLine::Post(uint16_t kind, const service::Payload& payload) {
  return Send(kind, 0, payload);
}

inline uint32_t RingLine::RefusalOf(ring::PeekResult result, const hv_cell& cell,
                                    uint16_t answer_kind, uint32_t tag) const {
  if (result == ring::PeekResult::kBadEpoch) return HV_REFUSAL_EPOCH;
  if (!service::MayReceive(peer_role_, HV_ROLE_KERNEL, cell.kind)) return HV_REFUSAL_KIND;
  if (cell.kind != answer_kind || cell.tag != tag) return HV_REFUSAL_ANSWER;
  return kAccepted;
}

// A stamp that nobody should write there is counted once for each time it is come upon.
inline void RingLine::LookForBadStamp() {
  hv_cell cell;  // one look: an answer may come at any moment
  if (consumer_.Peek(cell) != ring::PeekResult::kBadStamp) return;
  if (bad_stamp_at_ == consumer_.position()) return;
  bad_stamp_at_ = consumer_.position();
  statistics_.refused[HV_REFUSAL_STAMP].Add();
}

[[gnu::flatten]] std::optional<service::Payload> RingLine::Call(uint16_t kind, uint16_t answer_kind,
                                                                const service::Payload& payload) {
  const uint32_t tag = next_tag_;
  next_tag_ = next_tag_ == UINT32_MAX ? 1 : next_tag_ + 1;
  if (!Send(kind, tag, payload)) return std::nullopt;
  ring::DirectStores stores;
  for (;;) {
    if (!WaitUntil([this] { return consumer_.Ready(); })) return std::nullopt;
    hv_cell cell;
    const ring::PeekResult result = consumer_.Peek(cell);
    if (result != ring::PeekResult::kMessage && result != ring::PeekResult::kBadEpoch) continue;
    consumer_.Advance();
    if (consumer_.AcknowledgeDue()) consumer_.Acknowledge(stores);
    const uint32_t refusal = RefusalOf(result, cell, answer_kind, tag);
    if (refusal != kAccepted) {
      statistics_.refused[refusal].Add();
      // Who never stops talking must not keep this thread from stopping.
      if (control_.stopping()) return std::nullopt;
      continue;
    }
    service::Payload answer;
    std::memcpy(answer.data(), cell.payload, answer.size());
    return answer;
  }
}

}  // namespace hv
