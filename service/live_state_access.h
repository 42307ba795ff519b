// StateAccess of a running service: jobs for its poll loop.
#pragma once

#include "service/mailbox.h"
#include "service/poll_loop.h"
#include "service/state_access.h"

namespace hv::service {

class LiveStateAccess final : public StateAccess {
 public:
  LiveStateAccess(LiveCommitter& committer, PollLoop& loop, Mailbox& mailbox, Clock& clock)
      : committer_(committer), loop_(loop), mailbox_(mailbox), clock_(clock) {}

  void Look(const std::function<void(const void* state)>& look) override {
    mailbox_.Run([&] { look(committer_.state().current_state()); });
  }

  absl::Status Change(const std::function<absl::Status(void* state)>& change) override {
    absl::Status status = absl::FailedPreconditionError("the service is quiesced");
    mailbox_.Run([&] {
      if (!loop_.quiesced()) status = committer_.Change(change, clock_.NowNs());
    });
    return status;
  }

 private:
  LiveCommitter& committer_;
  PollLoop& loop_;
  Mailbox& mailbox_;
  Clock& clock_;
};

}  // namespace hv::service
