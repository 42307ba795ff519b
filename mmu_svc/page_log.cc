#include "mmu_svc/page_log.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "abi/route_table.h"
#include "absl/strings/str_cat.h"

namespace hv::mmu {
namespace {

constexpr uint64_t kWordPages = 64;

constexpr uint64_t LowBits(uint64_t count) {
  return count >= kWordPages ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
}

}  // namespace

absl::StatusOr<PageLog> PageLog::Open(std::span<std::byte> segment, uint64_t pages) {
  const uint64_t words = (pages + kWordPages - 1) / kWordPages;
  if (segment.size() < sizeof(hv_dirty_log) ||
      (segment.size() - sizeof(hv_dirty_log)) / sizeof(uint64_t) < words) {
    return absl::InvalidArgumentError(
        absl::StrCat("page log: ", segment.size(), " bytes are too few for ", pages, " pages"));
  }
  return PageLog(reinterpret_cast<uint64_t*>(segment.data() + sizeof(hv_dirty_log)), pages);
}

// The bits of 64 pages from `page` on.
uint64_t PageLog::Load(uint64_t page) const {
  const auto word = [this](uint64_t index) -> uint64_t {
    if (index * kWordPages >= pages_) return 0;
    return std::atomic_ref<uint64_t>(words_[index]).load(std::memory_order_relaxed);
  };
  const uint64_t index = page / kWordPages;
  const uint64_t shift = page % kWordPages;
  if (shift == 0) return word(index);
  return word(index) >> shift | word(index + 1) << (kWordPages - shift);
}

// As Load, clearing what `bits` names.
void PageLog::ClearWord(uint64_t page, uint64_t bits) {
  const auto clear = [this](uint64_t index, uint64_t mask) {
    if (mask == 0 || index * kWordPages >= pages_) return;
    // Pairs with the OR of whoever writes guest RAM: neither loses a bit of the other.
    std::atomic_ref<uint64_t>(words_[index]).fetch_and(~mask, std::memory_order_relaxed);
  };
  const uint64_t index = page / kWordPages;
  const uint64_t shift = page % kWordPages;
  clear(index, bits << shift);
  if (shift != 0) clear(index + 1, bits >> (kWordPages - shift));
}

std::string PageLog::Read(uint64_t first, uint64_t count) const {
  std::string bitmap((count + 7) / 8, '\0');
  for (uint64_t done = 0; done < count; done += kWordPages) {
    const uint64_t bits = Load(first + done) & LowBits(count - done);
    std::memcpy(&bitmap[done / 8], &bits, std::min(sizeof(bits), bitmap.size() - done / 8));
  }
  return bitmap;
}

void PageLog::Mark(uint64_t page) {
  if (page >= pages_) return;
  std::atomic_ref<uint64_t>(words_[page / kWordPages])
      .fetch_or(uint64_t{1} << (page % kWordPages), std::memory_order_relaxed);
}

void PageLog::Clear(uint64_t first, absl::string_view bitmap) {
  for (size_t at = 0; at < bitmap.size(); at += sizeof(uint64_t)) {
    uint64_t bits = 0;
    std::memcpy(&bits, bitmap.data() + at, std::min(sizeof(bits), bitmap.size() - at));
    ClearWord(first + at * 8, bits);
  }
}

void PageLog::ClearAll(uint64_t first, uint64_t count) {
  for (uint64_t done = 0; done < count; done += kWordPages) {
    ClearWord(first + done, LowBits(count - done));
  }
}

}  // namespace hv::mmu
