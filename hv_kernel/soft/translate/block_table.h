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
  static constexpr size_t kBuckets = 1u << 16;
  static size_t Bucket(uint64_t physical) { return (physical * 0x9e3779b97f4a7c15u) >> 48; }
  std::vector<Block*> buckets_;
};

}  // namespace hv::soft
