#include "mmu_svc/pager/pager.h"

#include <unistd.h>

#include <array>
#include <cerrno>

#include "ring/shared_store.h"

namespace hv::mmu {
namespace {

// As many as a guest may have vCPUs waiting at once on most machines; what is left is read next.
constexpr size_t kEvents = 16;
constexpr uint64_t kPageBytes = ReadAhead::kPageBytes;

}  // namespace

// The only writer: a load and a store, each whole, are enough for who reads.
void Pager::Count(uint64_t& counter, uint64_t by) {
  ring::DirectStores stores;
  ring::StoreRelaxed(counter, ring::LoadRelaxed(counter) + by, stores);
}

void Pager::EnterTurn() {
  ring::DirectStores stores;
  ring::StoreRelaxed(page_.turn, ring::LoadRelaxed(page_.turn) | 1, stores);
}

void Pager::LeaveTurn() {
  ring::DirectStores stores;
  ring::StoreRelaxed(page_.turn, (ring::LoadRelaxed(page_.turn) | 1) + 1, stores);
}

void Pager::TakeOver() {
  ring::DirectStores stores;
  ring::StoreRelaxed(page_.thread, static_cast<uint32_t>(gettid()), stores);
  userfault_.Wake(window_.address, window_.bytes);
  Count(page_.wakes);
  LeaveTurn();
}

bool Pager::ServeOnce() {
  if (!userfault_.Await()) return false;
  EnterTurn();
  std::array<uffd_msg, kEvents> events;
  const int count = userfault_.Read(events);
  bool goes_on = count >= 0 || errno == EAGAIN || errno == EINTR;
  for (int i = 0; i < count && goes_on; ++i) goes_on = Resolve(events[i]) == Outcome::kDone;
  LeaveTurn();
  return goes_on;
}

Done Pager::Give(Extent extent) {
  Done all;
  while (extent.begin + all.bytes < extent.end) {
    const uint64_t begin = extent.begin + all.bytes;
    const Done done = watch_.Give({begin, extent.end});
    all.bytes += done.bytes;
    if (done.bytes == 0) {
      all.error = done.error;
      break;
    }
  }
  Count(page_.pages, all.bytes / kPageBytes);
  return all;
}

Pager::Outcome Pager::Resolve(const uffd_msg& event) {
  const auto fault = ReadFault(event, window_);
  if (!fault) {
    Count(page_.refused);
    return Outcome::kDone;
  }
  return fault->is_protected_write ? ResolveWrite(fault->offset) : ResolveMissing(fault->offset);
}

Pager::Outcome Pager::ResolveMissing(uint64_t offset) {
  const auto extent = read_ahead_.At(offset);
  if (!extent) {
    Count(page_.refused);
    return Outcome::kDone;
  }
  Count(page_.faults);
  const Done done = Give({offset, extent->end});
  if (done.bytes == 0) {
    if (done.error == ESRCH) return Outcome::kMemoryGone;
    // There by now: another's fault was answered with it, or mmu_svc has stored in it. Or not to be
    // had just now.
    if (done.error != EEXIST && done.error != EAGAIN) Count(page_.failed);
    return TryAgain(offset);
  }
  const Done before = Give({extent->begin, offset});
  Count(page_.read_ahead_pages, (done.bytes + before.bytes) / kPageBytes - 1);
  return Outcome::kDone;
}

Pager::Outcome Pager::ResolveWrite(uint64_t offset) {
  const WriteWatch::Noted noted = watch_.NoteWrite(offset);
  Count(noted.watched ? page_.writes : page_.stray_writes);
  if (noted.error == 0) return Outcome::kDone;
  if (noted.error == ESRCH) return Outcome::kMemoryGone;
  Count(page_.failed);
  return TryAgain(offset);
}

Pager::Outcome Pager::TryAgain(uint64_t offset) {
  userfault_.Wake(window_.address + offset, kPageBytes);
  return Outcome::kDone;
}

}  // namespace hv::mmu
