// The loop a service lives in: ticks, messages, jobs of the control thread; spin, then sleep.
#pragma once

#include <cstdint>
#include <vector>

#include "ring/wake.h"
#include "service/committer.h"
#include "service/machine_clock.h"
#include "service/mailbox.h"

namespace hv::service {

using LiveCommitter = Committer<ring::DirectStores>;

class PollLoop {
 public:
  // `peers[i]` wakes whoever is at the other end of channel i.
  PollLoop(LiveCommitter& committer, Clock& clock, ring::Sleeper sleeper,
           std::vector<ring::Waker> peers, ring::SpinBudget budget, Mailbox& mailbox);

  // Recovers and runs until Stop().
  void Run();

  // One turn: true if anything was done.
  bool Turn();

  // From a job in the mailbox.
  void Stop() { stopping_ = true; }
  void Quiesce() { quiesced_ = true; }
  void Resume() { quiesced_ = false; }
  bool quiesced() const { return quiesced_; }

 private:
  bool StepAll();
  bool Done(StepResult result);
  void Beat();
  void NoteTime(uint64_t& word);
  void Rest();
  bool SomethingToDo(uint64_t now_ns) const;

  LiveCommitter& committer_;
  Clock& clock_;
  ring::Sleeper sleeper_;
  std::vector<ring::Waker> peers_;
  ring::SpinBudget budget_;
  Mailbox& mailbox_;
  uint64_t turn_ns_ = 0;  // when the last turn began
  uint64_t last_work_ns_ = 0;
  bool first_step_noted_ = false;
  bool stopping_ = false;
  bool quiesced_ = false;
  bool blocked_ = false;  // in the last turn a ring had no room for what a step would have sent
};

}  // namespace hv::service
