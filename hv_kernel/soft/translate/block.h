// A piece of translated guest code, and the table they are found in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "hv_kernel/soft/translate/mode.h"

namespace hv::soft {

// Where in a block's code the instruction at `rip` begins, for host faults.
struct InstructionPlace {
  uint32_t host_offset;
  uint32_t rip_offset;  // from the block's rip
};

struct Block {
  uint64_t rip = 0;                 // offset in CS of the first instruction
  uint64_t physical = 0;            // of its first byte
  uint64_t physical_next_page = 0;  // page of the bytes past the first page's end; 0: none
  uint32_t bytes = 0;               // of guest code
  Mode mode;
  // Its first bytes, as many as the mask says: whether the page is still what it was. Stores of
  // vCPUs are noted, but devices write to RAM as well.
  uint64_t head = 0;
  uint64_t head_mask = 0;
  uint64_t code = 0;  // host address
  // Where direct jumps lead when they are linked: `code`, or for a block that reaches into the next
  // page a look into the jump cache, as that page may change its meaning while this one does not.
  uint64_t link_code = 0;
  uint32_t code_bytes = 0;
  bool dropped = false;  // invalidated: reachable from nowhere, its memory not yet reused
  std::vector<InstructionPlace> places;
  // Direct jumps elsewhere that were patched to come here: host addresses of their rel32, with what
  // it was.
  struct Link {
    uint64_t patch;
    int32_t unlinked;
  };
  std::vector<Link> incoming;
  Block* next = nullptr;  // in its bucket
};

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
