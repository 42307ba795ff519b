// The translations of one vCPU: finding, making, linking and dropping blocks.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "hv_kernel/soft/code_exchange.h"
#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/memory/physical_memory.h"
#include "hv_kernel/soft/translate/block.h"
#include "hv_kernel/soft/translate/code_memory.h"
#include "hv_kernel/soft/translate/leave_site.h"
#include "hv_kernel/soft/translate/translator.h"

namespace hv::soft {

class TranslationCache {
 public:
  // `exchange` outlives the cache.
  static absl::StatusOr<std::unique_ptr<TranslationCache>> Create(size_t code_bytes,
                                                                  CodeExchange& exchange);

  const Trampolines& trampolines() const { return trampolines_; }
  uint64_t code_begin() const { return memory_.begin(); }
  uint64_t code_end() const { return memory_.end(); }
  // Touches no vector register, unlike everything below. A block that reaches into the next page is
  // one of several, by what that page is: FindAcross() gives the one for `next_page`.
  Block* Find(uint64_t physical, uint64_t rip, Mode mode) const {
    return table_.Find(physical, rip, mode);
  }
  Block* FindAcross(uint64_t physical, uint64_t next_page, uint64_t rip, Mode mode) const {
    return table_.FindAcross(physical, next_page, rip, mode);
  }

  // Translates what lies at `rip`, whose first byte is at `physical`. `next_page` is the physical
  // address of the page after, 0 when it is not mapped. Null: the first instruction needs that
  // page.
  Block* Translate(Cpu& cpu, uint64_t rip, uint64_t physical, uint64_t next_page, Mode mode);

  // Patches the jump at `site` to lead to `target`.
  void Link(const LeaveSite& site, Block& target);
  // Drops what was made from [physical, physical + bytes), inside one page. The blocks are added to
  // `dropped`: no jump cache may lead to them any more.
  void Invalidate(Cpu& cpu, uint64_t physical, uint32_t bytes, std::vector<Block*>& dropped);
  // Drops everything.
  void Flush(Cpu& cpu);

  // The guest RIP of the instruction whose code lies at a host address; false: none of ours.
  bool FindRip(uint64_t host, uint64_t& rip) const;

  struct Statistics {
    uint64_t blocks = 0;
    uint64_t links = 0;
    uint64_t invalidated = 0;
    uint64_t flushes = 0;
    uint64_t code_bytes = 0;
    uint64_t guest_bytes = 0;        // of code that is translated now, in each of its translations
    uint64_t metadata_bytes = 0;     // what is kept beside them
    uint64_t translating_ticks = 0;  // of the TSC, in all
    uint64_t instructions = 0;
  };
  Statistics statistics() const;

 private:
  TranslationCache(CodeMemory memory, const Trampolines& trampolines, CodeExchange& exchange);

  void Drop(Block& block);
  void RegisterPage(Cpu& cpu, uint64_t physical_page, Block& block);
  void UnregisterPage(Cpu& cpu, uint64_t physical_page);

  CodeExchange& exchange_;
  CodeMemory memory_;
  Trampolines trampolines_;
  LeaveSites sites_;
  Translator translator_;
  std::deque<Block> blocks_;  // in the order of their code addresses
  BlockTable table_;
  std::unordered_map<uint64_t, std::vector<Block*>> by_page_;  // physical page
  Statistics statistics_;
};

}  // namespace hv::soft
