#include "mmu_svc/pager/read_ahead.h"

#include <algorithm>

namespace hv::mmu {
namespace {

constexpr uint64_t RoundDown(uint64_t value, uint64_t to) { return value / to * to; }

}  // namespace

uint64_t ReadAhead::TakeBytes(uint64_t offset) {
  const auto begins_here = [offset](const Sequence& sequence) {
    return sequence.next <= offset && offset - sequence.next < kLeastBytes;
  };
  const auto found = std::find_if(sequences_.begin(), sequences_.end(), begins_here);
  if (found == sequences_.end()) {
    std::rotate(sequences_.begin(), sequences_.begin() + 1, sequences_.end());
    return kLeastBytes;
  }
  const uint64_t bytes = std::min(found->bytes * 2, kMostBytes);
  std::rotate(found, found + 1, sequences_.end());
  return bytes;
}

std::optional<Extent> ReadAhead::At(uint64_t offset) {
  const auto piece = std::find_if(memory_.begin(), memory_.end(), [offset](const Extent& one) {
    return one.begin <= offset && offset < one.end;
  });
  if (piece == memory_.end()) return std::nullopt;
  const uint64_t bytes = TakeBytes(offset);
  // Up to the next multiple of its size, so that chunks come to be aligned as they grow.
  const uint64_t begin = RoundDown(offset, kLeastBytes);
  const uint64_t end = RoundDown(begin, bytes) + bytes;
  sequences_.back() = {.next = end, .bytes = bytes};
  return Extent{std::max(begin, piece->begin), std::min(end, piece->end)};
}

}  // namespace hv::mmu
