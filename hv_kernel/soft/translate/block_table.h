// Where blocks are found by what they were made from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "hv_kernel/soft/translate/block.h"
#include "hv_kernel/soft/translate/mode.h"

namespace hv::soft {

// Open table by (physical, rip, mode). Lookup touches no vector register.
class BlockTable {
 public:
  BlockTable() : buckets_(kBuckets, nullptr) {}

  Block* Find(uint64_t physical, uint64_t rip, Mode mode) const {
    for (Block* block = buckets_[Bucket(physical)]; block != nullptr; block = block->next) {
      if (block->physical == physical && block->rip == rip && block->mode == mode) return block;
    }
    return nullptr;
  }
  // The one whose bytes past the page's end come from `next_page`.
  Block* FindAcross(uint64_t physical, uint64_t next_page, uint64_t rip, Mode mode) const {
    for (Block* block = buckets_[Bucket(physical)]; block != nullptr; block = block->next) {
      if (block->physical == physical && block->rip == rip && block->mode == mode &&
          block->physical_next_page == next_page) {
        return block;
      }
    }
    return nullptr;
  }
  void Insert(Block* block) {
    Block*& head = buckets_[Bucket(block->physical)];
    block->next = head;
    head = block;
  }
  void Remove(Block* block) {
    for (Block** at = &buckets_[Bucket(block->physical)]; *at != nullptr; at = &(*at)->next) {
      if (*at != block) continue;
      *at = block->next;
      return;
    }
  }
  void Clear() { buckets_.assign(kBuckets, nullptr); }

 private:
  // Blocks lie far apart, and each that is looked at costs the misses of a cache: more buckets than
  // there are blocks in a code memory of the ordinary size.
  static constexpr int kBucketBits = 18;
  static constexpr size_t kBuckets = size_t{1} << kBucketBits;
  static size_t Bucket(uint64_t physical) {
    return (physical * 0x9e3779b97f4a7c15u) >> (64 - kBucketBits);
  }
  std::vector<Block*> buckets_;
};

}  // namespace hv::soft
