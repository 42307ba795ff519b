#include "mmu_svc/pager/write_watch.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace hv::mmu {
namespace {

constexpr uint64_t kPageBytes = ReadAhead::kPageBytes;
// Bytes of a bitmap that one call arms: 2 MiB of guest memory, one table of the host's.
constexpr size_t kStepBytes = 64;

absl::Status ToStatus(int error) {
  switch (error) {
    case 0: return absl::OkStatus();
    case ENOENT:
      return absl::FailedPreconditionError("guest RAM is not registered for write protection");
    case ESRCH: return absl::UnavailableError("hv_kernel is gone");
    default:
      return absl::InternalError(
          absl::StrCat("write-protecting guest RAM: ", std::strerror(error)));
  }
}

// The first to the last set bit of `bitmap`, as pages; empty: none is set.
Extent SetBits(absl::string_view bitmap) {
  const auto is_set = [](char byte) { return byte != 0; };
  const auto first = std::find_if(bitmap.begin(), bitmap.end(), is_set);
  if (first == bitmap.end()) return {0, 0};
  const auto last = std::find_if(bitmap.rbegin(), bitmap.rend(), is_set).base() - 1;
  const auto bits = [](char byte) { return static_cast<uint32_t>(static_cast<uint8_t>(byte)); };
  const uint64_t begin = (first - bitmap.begin()) * 8 + __builtin_ctz(bits(*first));
  const uint64_t end = (last - bitmap.begin()) * 8 + 32 - __builtin_clz(bits(*last));
  return {begin, end};
}

}  // namespace

const Extent* WriteWatch::Watching(uint64_t offset) const {
  const auto found = std::find_if(watched_.begin(), watched_.end(), [offset](const Extent& one) {
    return one.begin <= offset && offset < one.end;
  });
  return found == watched_.end() ? nullptr : &*found;
}

void WriteWatch::SetWatched(std::vector<Extent> watched) {
  const std::lock_guard lock(mutex_);
  watched_ = std::move(watched);
}

// Under the lock: what is given unprotected is there before SetWatched has returned, and so before
// it is armed.
Done WriteWatch::Give(Extent extent) {
  const std::lock_guard lock(mutex_);
  const uint64_t address = window_.address + extent.begin;
  if (const Extent* in = Watching(extent.begin)) {
    const uint64_t end = std::min(extent.end, in->end);
    return userfault_.GiveZeroPages(address, end - extent.begin, Writes::kTold);
  }
  uint64_t end = extent.end;
  for (const Extent& one : watched_) {
    if (one.begin > extent.begin) end = std::min(end, one.begin);
  }
  return userfault_.GiveZeroPages(address, end - extent.begin, Writes::kFree);
}

WriteWatch::Noted WriteWatch::NoteWrite(uint64_t offset) {
  const std::lock_guard lock(mutex_);
  const bool watched = Watching(offset) != nullptr;
  if (watched) written_.Mark(offset / kPageBytes);
  return {watched, userfault_.SetWrites(window_.address + offset, kPageBytes, Writes::kFree)};
}

// Without the lock: a page whose bit is set meanwhile may be protected or not.
absl::Status WriteWatch::Arm(Extent extent) {
  return ToStatus(userfault_.SetWrites(window_.address + extent.begin, extent.end - extent.begin,
                                       Writes::kTold));
}

void WriteWatch::Disarm(Extent extent) {
  userfault_.SetWrites(window_.address + extent.begin, extent.end - extent.begin, Writes::kFree);
}

absl::Status WriteWatch::Rearm(uint64_t first, absl::string_view bitmap) {
  for (size_t at = 0; at < bitmap.size(); at += kStepBytes) {
    const absl::string_view step = bitmap.substr(at, kStepBytes);
    const Extent bits = SetBits(step);
    if (bits.end == 0) continue;
    const uint64_t base = (first + at * 8) * kPageBytes;
    const std::lock_guard lock(mutex_);
    // Pages between, whose bits are not set, are protected already, or written since and told of
    // once more.
    auto status = Arm({base + bits.begin * kPageBytes, base + bits.end * kPageBytes});
    if (!status.ok()) return status;
    written_.Clear(first + at * 8, step);
  }
  return absl::OkStatus();
}

}  // namespace hv::mmu
