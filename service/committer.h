// The commit protocol: receive, step, commit, publish, acknowledge.
//
//   receive      copy a cell out of its ring, check who may say this
//   step         let the core work on the spare copy; put what it sends into the spare outbox
//   fit          if a ring has no room for its part of the outbox, forget the step: it is made
//   again
//                from the same message later, and meanwhile other channels go on
//   commit       one release store: copy, consumed positions and outbox are current at once
//   publish      copy the outbox to its rings at the positions it names
//   acknowledge  tell the producers what may be overwritten
//
// Between them are the fault points. A message that has killed the service again and again is
// quarantined: the core never sees it, and it is answered as absent hardware would answer.
//
// Death before the commit: the step never happened. Death after it: Recover() publishes the same
// cells at the same positions again, which a consumer that has moved on does not notice.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/check.h"
#include "ring/channel.h"
#include "ring/consumer.h"
#include "ring/producer.h"
#include "service/absent.h"
#include "service/actions.h"
#include "service/admission.h"
#include "service/core.h"
#include "service/fault_points.h"
#include "service/state_segment.h"
#include "service/suspects.h"

namespace hv::service {

// One channel of the service, in manifest order: the index is what outbox entries name.
struct Port {
  uint32_t peer;  // endpoint
  ring::ChannelView view;
};

enum class [[nodiscard]] StepResult : uint8_t{
    kNothing,  // no message there
    kDone,     // taken, committed, published
    kNoRoom,   // what the step would send does not fit yet; nothing has happened
};

// `Stores` sees every store to shared memory: ring::DirectStores, or a test's.
template <typename Stores>
class Committer {
 public:
  Committer(Core& core, StateSegment state, uint32_t self, std::span<const Port> ports,
            FaultPoints faults = {}, Stores stores = {})
      : core_(core),
        state_(state),
        self_role_(HV_ENDPOINT_ROLE(self)),
        faults_(faults),
        stores_(stores),
        suspects_(state_.header()) {
    CHECK(ports.size() <= HV_MAX_CHANNELS);
    const hv_state_copy& current = state_.current();
    for (size_t i = 0; i < ports.size(); ++i) {
      ends_.push_back({ports[i].peer, ring::Producer(ports[i].view.outbound, current.produced[i]),
                       ring::Consumer(ports[i].view.inbound, current.consumed[i])});
    }
  }

  // To be called once after attaching. Resets a fresh state, else finishes what a predecessor had
  // committed but perhaps not published. REQUIRES: state.CheckCurrent(ports.size()) is OK, and each
  // ring holds at least HV_OUTBOX_CELLS if the core's Reset may send as many.
  void Recover(uint64_t now_ns) {
    suspects_.Attach(state_.current(), ends_.size(), stores_);
    if (state_.fresh()) {
      Begin(now_ns);
      actions_.WakeAt(kNever);
      core_.Reset(state_.spare_state(), Now(), actions_);
      CHECK(Finish());  // into empty rings
    } else {
      Publish();
    }
    core_.Project(state_.current_state());
    AcknowledgeAll();
  }

  bool Ready(size_t channel) const { return ends_[channel].consumer.Ready(); }
  // Whether StepMessage would find nothing there, neither a message nor something to count.
  bool Empty(size_t channel) const { return ends_[channel].consumer.Empty(); }
  size_t channels() const { return ends_.size(); }
  uint32_t peer(size_t channel) const { return ends_[channel].peer; }

  // Takes one message of `channel` through a whole step.
  StepResult StepMessage(size_t channel, uint64_t now_ns) {
    End& end = ends_[channel];
    hv_cell cell;
    const ring::PeekResult result = end.consumer.Peek(cell);
    if (result == ring::PeekResult::kEmpty) return StepResult::kNothing;
    if (result == ring::PeekResult::kBadStamp) {
      CountBadStamp(channel);
      return StepResult::kNothing;
    }
    Begin(now_ns);
    Refusal refusal = Admit(result, end, cell);
    Message message;
    if (refusal == kAccepted) {
      message.from = end.peer;
      message.kind = cell.kind;
      message.tag = cell.tag;
      std::memcpy(message.payload.data(), cell.payload, sizeof(cell.payload));
    }
    const uint64_t position = end.consumer.position();
    kind_ = message.kind;
    suspects_.TakeInHand(channel, position, stores_);
    sparing_ = refusal == kAccepted && suspects_.IsPoison(channel, position);
    if (!sparing_) faults_.Reach(HV_FAULT_POINT_AFTER_RECEIVE, kind_);
    if (sparing_) {
      AnswerAsAbsent(message, actions_);
    } else if (refusal == kAccepted &&
               !core_.Handle(state_.spare_state(), message, Now(), actions_)) {
      refusal = HV_REFUSAL_CONTENT;
    }
    state_.spare().consumed[channel] = position + 1;
    if (!Finish()) {
      suspects_.PutDown(stores_);
      return StepResult::kNoRoom;
    }
    end.consumer.Advance();
    if (refusal != kAccepted) Count(state_.header().refused[refusal]);
    if (sparing_) NoteQuarantined(message);
    Count(state_.header().received);
    core_.Project(state_.current_state());
    if (end.consumer.AcknowledgeDue()) Acknowledge(end);
    return StepResult::kDone;
  }

  // The tick the core asked for: kDone or kNoRoom. REQUIRES: now_ns >= wake_at_ns().
  StepResult StepTick(uint64_t now_ns) {
    Begin(now_ns);
    faults_.Reach(HV_FAULT_POINT_AFTER_RECEIVE, kind_);
    actions_.WakeAt(kNever);
    core_.Tick(state_.spare_state(), Now(), actions_);
    if (!Finish()) return StepResult::kNoRoom;
    core_.Project(state_.current_state());
    return StepResult::kDone;
  }

  uint64_t wake_at_ns() const { return state_.current().wake_at_ns; }
  void AcknowledgeAll() {
    for (End& end : ends_) Acknowledge(end);
  }
  // Channels the last step sent to: whose peers may have to be woken.
  std::span<const uint32_t> sent_to() const { return sent_to_; }

  StateSegment& state() { return state_; }
  Core& core() { return core_; }
  FaultPoints& faults() { return faults_; }

  // What the control plane changes, as one committed step that sends nothing and leaves the next
  // tick where it is. An error of `change` leaves the old state in force.
  absl::Status Change(const std::function<absl::Status(void* state)>& change, uint64_t now_ns) {
    Begin(now_ns);
    if (auto status = change(state_.spare_state()); !status.ok()) return status;
    CHECK(Finish());
    core_.Project(state_.current_state());
    return absl::OkStatus();
  }

  // Replaces the state by an imported one, as one committed step.
  absl::Status Import(absl::string_view bytes, uint64_t now_ns) {
    Begin(now_ns);
    if (auto status = core_.Import(state_.spare_state(), bytes); !status.ok()) return status;
    actions_.WakeAt(Now());  // whatever deadlines the imported state has, look at once
    CHECK(Finish());         // it sends nothing
    core_.Project(state_.current_state());
    return absl::OkStatus();
  }

 private:
  struct End {
    uint32_t peer;
    ring::Producer producer;
    ring::Consumer consumer;
    uint64_t last_bad_stamp = UINT64_MAX;
  };
  // Of enum hv_refusal, or kAccepted.
  using Refusal = uint32_t;
  static constexpr Refusal kAccepted = HV_REFUSAL_COUNT;

  Refusal Admit(ring::PeekResult result, const End& end, const hv_cell& cell) const {
    if (result != ring::PeekResult::kMessage) return HV_REFUSAL_EPOCH;
    if (!MayReceive(HV_ENDPOINT_ROLE(end.peer), self_role_, cell.kind)) return HV_REFUSAL_KIND;
    return kAccepted;
  }

  // The spare copy and actions_ as they are before a step: no message, the tick that was asked for.
  void Begin(uint64_t now_ns) {
    kind_ = HV_KIND_NONE;
    sparing_ = false;
    forged_stamp_ = 0;
    state_.PrepareSpare(ends_.size());
    hv_state_copy& spare = state_.spare();
    actions_.Clear();
    actions_.WakeAt(spare.wake_at_ns);
    // Machine time never goes back, whichever core or process reads the clock.
    if (now_ns > spare.now_ns) spare.now_ns = now_ns;
    ++spare.steps;
  }
  uint64_t Now() { return state_.spare().now_ns; }

  // Commits and publishes the spare copy with actions_. False, and nothing has changed: a ring has
  // no room. So a commit never waits for its publication.
  bool Finish() {
    hv_state_copy& spare = state_.spare();
    spare.wake_at_ns = actions_.wake_at_ns();
    uint64_t unheard = 0;  // for no peer of this machine
    for (const Outgoing& message : actions_.messages()) {
      if (!Enqueue(spare, message)) ++unheard;
    }
    if (faults_.armed()) [[unlikely]]
      EnqueueForgery(spare);
    if (!Fits(spare)) return false;
    if (!sparing_) faults_.Reach(HV_FAULT_POINT_BEFORE_COMMIT, kind_);
    state_.Commit(stores_);
    faults_.Reach(HV_FAULT_POINT_AFTER_COMMIT, kind_);
    Publish();
    if (unheard != 0) Count(state_.header().refused[HV_REFUSAL_RECIPIENT], unheard);
    return true;
  }

  bool Enqueue(hv_state_copy& spare, const Outgoing& message) {
    const size_t channel = ChannelTo(message.to);
    if (channel == ends_.size()) return false;
    hv_cell cell{};
    cell.kind = message.kind;
    cell.tag = message.tag;
    std::memcpy(cell.payload, message.payload.data(), sizeof(cell.payload));
    hv_outbox_entry& entry = NextEntry(spare, channel);
    entry.cell = ends_[channel].producer.Stamp(entry.position, cell);
    return true;
  }

  hv_outbox_entry& NextEntry(hv_state_copy& spare, size_t channel) {
    hv_outbox_entry& entry = spare.outbox[spare.outbox_count++];
    entry.channel = static_cast<uint32_t>(channel);
    entry.position = spare.produced[channel]++;
    return entry;
  }

  // A fault: the last message goes one place further, and where it would have gone a forged cell
  // does. A forged stamp is no message: it stands in the slot until Publish writes the right one.
  void EnqueueForgery(hv_state_copy& spare) {
    if (spare.outbox_count == 0 || spare.outbox_count == HV_OUTBOX_CELLS) return;
    hv_outbox_entry& last = spare.outbox[spare.outbox_count - 1];
    const CellWay way{self_role_, HV_ENDPOINT_ROLE(ends_[last.channel].peer)};
    const hv_cell honest = last.cell;
    hv_cell forged;
    if (!faults_.Forge(kind_, way, honest, forged)) return;
    if (forged.stamp != honest.stamp) {
      forged_stamp_ = forged.stamp;
      return;
    }
    last.cell = forged;
    hv_outbox_entry& next = NextEntry(spare, last.channel);
    next.cell = honest;
    next.cell.stamp = next.position + 1;
  }

  bool Fits(const hv_state_copy& spare) {
    for (uint32_t i = 0; i < spare.outbox_count; ++i) {
      const uint32_t channel = spare.outbox[i].channel;
      ring::Producer& producer = ends_[channel].producer;
      const auto cells = static_cast<uint32_t>(spare.produced[channel] - producer.position());
      if (!producer.HasRoom(cells)) return false;
    }
    return true;
  }

  void Publish() {
    sent_to_.clear();
    sent_to_.reserve(HV_OUTBOX_CELLS);
    const hv_state_copy& current = state_.current();
    for (uint32_t i = 0; i < current.outbox_count; ++i) {
      const hv_outbox_entry& entry = current.outbox[i];
      ring::Producer& producer = ends_[entry.channel].producer;
      if (forged_stamp_ != 0 && i + 1 == current.outbox_count) [[unlikely]] {
        producer.StoreForgedStamp(entry.position, forged_stamp_, stores_);
      }
      producer.WriteUnstamped(entry.cell, stores_);
      if (i == current.outbox_count / 2) faults_.Reach(HV_FAULT_POINT_MID_PUBLISH, kind_);
      producer.StoreStamp(entry.cell, stores_);
      sent_to_.push_back(entry.channel);
    }
    Count(state_.header().sent, current.outbox_count);
  }

  void Acknowledge(End& end) {
    if (end.consumer.acknowledged()) return;
    faults_.Reach(HV_FAULT_POINT_BEFORE_ACKNOWLEDGE, kind_);
    end.consumer.Acknowledge(stores_);
  }

  size_t ChannelTo(uint32_t endpoint) const {
    for (size_t i = 0; i < ends_.size(); ++i) {
      if (ends_[i].peer == endpoint) return i;
    }
    return ends_.size();
  }

  // A stamp nobody should write there is counted once for each value, not once for each look.
  void CountBadStamp(size_t channel) {
    End& end = ends_[channel];
    if (end.last_bad_stamp == end.consumer.position()) return;
    end.last_bad_stamp = end.consumer.position();
    Count(state_.header().refused[HV_REFUSAL_STAMP]);
  }

  void NoteQuarantined(const Message& message) {
    ring::DirectStores direct;
    ring::StoreRelaxed(state_.header().last_quarantined,
                       uint64_t{message.from} << 32 | message.kind, direct);
    Count(state_.header().quarantined);
  }

  // Statistics: approximate across a crash, not part of the protocol.
  void Count(uint64_t& counter, uint64_t n = 1) {
    ring::DirectStores direct;
    ring::StoreRelaxed(counter, counter + n, direct);
  }

  Core& core_;
  StateSegment state_;
  uint32_t self_role_;
  FaultPoints faults_;
  Stores stores_;
  Suspects suspects_;
  uint16_t kind_ = HV_KIND_NONE;  // of the step that is being made; NONE: a tick or a change
  // The message is quarantined: what it kept dying of before the commit is not done again.
  bool sparing_ = false;
  uint64_t forged_stamp_ = 0;  // of the step that is being made, a fault's; 0: none
  std::vector<End> ends_;
  Actions actions_;  // of the step that is being made; 4 KiB that need not be made anew for each
  std::vector<uint32_t> sent_to_;  // keeps its capacity: no allocation once warm
};

}  // namespace hv::service
