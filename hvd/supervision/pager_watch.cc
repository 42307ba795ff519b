#include "hvd/supervision/pager_watch.h"

#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "ring/shared_store.h"

namespace hv::hvd {
namespace {

constexpr std::chrono::seconds kStartGrace{5};
constexpr char kStopped = 'T';  // by a signal; state in /proc/PID/stat
constexpr char kGone = 'Z';

}  // namespace

void PagerWatch::OnAttached(HangDetector::TimePoint now) {
  detector_ = HangDetector(timeout_);
  turn_at_attach_ = ring::LoadRelaxed(page_.turn);
  attached_at_ = now;
}

// Events that were read, or such as are waiting to be (abi/pager_page.h).
bool PagerWatch::HasWork(uint64_t turn) const {
  if ((turn & 1) != 0) return true;
  pollfd unread{.fd = paging_.userfault.get(), .events = POLLIN, .revents = 0};
  return poll(&unread, 1, 0) == 1 && (unread.revents & POLLIN) != 0;
}

bool PagerWatch::Hangs(const Process& process, HangDetector::TimePoint now) {
  const uint64_t turn = ring::LoadRelaxed(page_.turn);
  if (!HasWork(turn)) {
    detector_ = HangDetector(timeout_);
    return false;
  }
  if (!detector_.Suspicious({.heartbeat = turn, .waiting = false, .wake_word = 0}, now)) {
    return false;
  }
  ProcessActivity activity = process.thread_activity(ring::LoadRelaxed(page_.thread));
  // A thread that has ended in a process that lives gets nowhere.
  if (activity.state == kGone) activity = process.activity();
  const bool is_starting = turn == turn_at_attach_ && now - attached_at_ < kStartGrace;
  if (is_starting && activity.state != kStopped) return false;
  // Asking the host took its time.
  return detector_.Hangs(activity) && ring::LoadRelaxed(page_.turn) == turn;
}

absl::Status PagerWatch::Release() {
  // Said first: whoever registers anew at this moment looks for it afterwards (RegisterForWrites).
  ring::DirectStores stores;
  ring::StoreRelaxed(page_.released, 1u, stores);
  uffdio_range range{.start = paging_.address, .len = paging_.bytes};
  if (ioctl(paging_.userfault.get(), UFFDIO_UNREGISTER, &range) == 0) return absl::OkStatus();
  const int error = errno;
  ring::StoreRelaxed(page_.released, 0u, stores);
  return absl::InternalError(
      absl::StrCat("giving guest RAM back to the host: ", std::strerror(error)));
}

}  // namespace hv::hvd
