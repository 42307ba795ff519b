#include "service/poll_loop.h"

#include <immintrin.h>

#include <algorithm>

namespace hv::service {
namespace {

// How long a service that may spin goes on after its last work: several times what a sleeping
// service would cost its next client (55 us across cores).
constexpr uint64_t kSpinNs = 200'000;
// Bounds what a hostile peer's meddling with the wake word can cost.
constexpr uint64_t kLongestSleepNs = 250'000'000;
// Peers do not wake a producer when they make room; it looks again this soon.
constexpr uint64_t kRoomPollNs = 100'000;
// Messages taken from one channel before the next gets its turn.
constexpr int kBurst = 16;

}  // namespace

PollLoop::PollLoop(LiveCommitter& committer, Clock& clock, ring::Sleeper sleeper,
                   std::vector<ring::Waker> peers, ring::SpinBudget budget, Mailbox& mailbox)
    : committer_(committer),
      clock_(clock),
      sleeper_(sleeper),
      peers_(std::move(peers)),
      budget_(budget),
      mailbox_(mailbox) {
  CHECK(peers_.size() == committer_.channels());
}

void PollLoop::Run() {
  committer_.Recover(clock_.NowNs());
  NoteTime(committer_.state().header().recovered_at_ns);
  // A predecessor may have published without waking: everybody looks once.
  for (ring::Waker& peer : peers_) peer.Wake();
  while (!stopping_) {
    if (!Turn()) Rest();
  }
  committer_.AcknowledgeAll();
}

bool PollLoop::Turn() {
  if (mailbox_.waiting()) {
    mailbox_.Serve();
    Beat();
    return true;
  }
  blocked_ = false;
  turn_ns_ = clock_.NowNs();
  if (!quiesced_ && committer_.faults().IsStuck(turn_ns_)) [[unlikely]]
    return false;
  const bool worked = !quiesced_ && StepAll();
  if (worked) last_work_ns_ = turn_ns_;
  Beat();
  return worked;
}

// The loop has looked at all it has to look at: hvd sees that it gets on.
void PollLoop::Beat() {
  ring::DirectStores direct;
  uint64_t& heartbeat = committer_.state().header().heartbeat;
  ring::StoreRelaxed(heartbeat, heartbeat + 1, direct);
}

// When this process first came to do that, for hvd's record of a failover; 0 is "not yet".
void PollLoop::NoteTime(uint64_t& word) {
  ring::DirectStores direct;
  if (ring::LoadRelaxed(word) == 0) ring::StoreRelaxed(word, clock_.NowNs() | 1, direct);
}

bool PollLoop::StepAll() {
  bool worked = false;
  if (committer_.wake_at_ns() <= turn_ns_) {
    worked = Done(committer_.StepTick(turn_ns_));
  }
  for (size_t channel = 0; channel < committer_.channels(); ++channel) {
    for (int i = 0; i < kBurst && !committer_.Empty(channel); ++i) {
      // A message is handled at its own time: who reads a clock twice sees it move.
      if (!Done(committer_.StepMessage(channel, clock_.NowNs()))) break;
      // Only guests in a hurry make a service hot; what services tell each other can wait.
      if (HV_ENDPOINT_ROLE(committer_.peer(channel)) == HV_ROLE_KERNEL) budget_.BecomeHot();
      worked = true;
    }
  }
  return worked;
}

// Whether a step was made; wakes whoever it sent to.
bool PollLoop::Done(StepResult result) {
  if (result == StepResult::kNoRoom) blocked_ = true;
  if (result != StepResult::kDone) return false;
  for (uint32_t channel : committer_.sent_to()) {
    for (int wakes = committer_.faults().Wakes(); wakes > 0; --wakes) peers_[channel].Wake();
  }
  if (!first_step_noted_) {
    first_step_noted_ = true;
    NoteTime(committer_.state().header().first_message_at_ns);
  }
  return true;
}

bool PollLoop::SomethingToDo(uint64_t now_ns) const {
  if (quiesced_) return false;
  if (committer_.wake_at_ns() <= now_ns) return true;
  for (size_t channel = 0; channel < committer_.channels(); ++channel) {
    if (committer_.Ready(channel)) return true;
  }
  return false;
}

void PollLoop::Rest() {
  if (!quiesced_ && budget_.MaySpin() && turn_ns_ - last_work_ns_ < kSpinNs) {
    _mm_pause();
    return;
  }
  committer_.AcknowledgeAll();
  const uint32_t word = sleeper_.Declare();
  const uint64_t later_ns = clock_.NowNs();
  if (mailbox_.waiting() || (!blocked_ && SomethingToDo(later_ns))) {
    sleeper_.Cancel();
    return;
  }
  uint64_t timeout_ns = blocked_ ? kRoomPollNs : kLongestSleepNs;
  if (!quiesced_ && committer_.wake_at_ns() > later_ns) {
    timeout_ns = std::min(timeout_ns, committer_.wake_at_ns() - later_ns);
  }
  ring::DirectStores direct;
  ring::StoreRelaxed(committer_.state().header().waiting, uint64_t{1}, direct);
  sleeper_.Sleep(word, timeout_ns);
  ring::StoreRelaxed(committer_.state().header().waiting, uint64_t{0}, direct);
}

}  // namespace hv::service
