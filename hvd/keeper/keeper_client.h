// hvd's side of hv_keeper: starts it, tells it, finds the one that a killed hvd has left.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hvd/host/event_loop.h"
#include "hvd/host/process.h"
#include "hvd/keeper/keeper.h"

namespace hv::hvd {

// Starts hv_keeper with the first record. One that dies, or takes nothing any more, is replaced and
// told everything again; meanwhile nothing would outlive hvd. Its socket for the next hvd is
// `folder`/keeper.sock, mode 0600.
class KeeperClient : public Keeper {
 public:
  // REQUIRES: the caller holds the right to `folder` (SocketClaim). All outlive this.
  KeeperClient(EventLoop& loop, Launcher& launcher, std::string folder);
  // Ends hv_keeper and with it what it still holds: when hvd ends in good order that is nothing.
  // REQUIRES: not on the loop's thread.
  ~KeeperClient() override;

  // Everything that the keeper of a killed hvd holds, which is this one's from now on; nothing if
  // there is none. An error: there is one and it cannot be used. Once, before the first Put.
  absl::StatusOr<Records> TakeOver();

  void Put(const std::string& key, std::string bytes, std::span<const int> fds) override;
  void Remove(const std::string& key) override;

 private:
  // REQUIRES of all: mutex_ is held.
  void Start();
  absl::Status TryStart();
  void Watch();
  absl::Status Send(const std::string& key, const KeptRecord& record);
  void GiveUp();
  absl::StatusOr<Records> Fetch();

  void OnEnd();

  EventLoop& loop_;
  Launcher& launcher_;
  const std::string folder_;
  std::mutex mutex_;
  Records records_;  // what is to be kept
  std::unique_ptr<Process> process_;
  UniqueFd connection_;                     // invalid: there is no keeper now
  EventLoop::Id watch_ = EventLoop::kNone;  // for its end, or for the next try
  bool owns_socket_ = false;                // not that of a keeper that could not be taken over
  bool stopping_ = false;
};

}  // namespace hv::hvd
