// The translations of one vCPU: finding, making, linking and dropping blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "hv_kernel/soft/code_exchange.h"
#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/memory/physical_memory.h"
#include "hv_kernel/soft/translate/block.h"
#include "hv_kernel/soft/translate/block_table.h"
#include "hv_kernel/soft/translate/code_memory.h"
#include "hv_kernel/soft/translate/leave_site.h"
#include "hv_kernel/soft/translate/translation_records.h"
#include "hv_kernel/soft/translate/translator.h"

namespace hv::soft {

// Where code memory is full, what was translated first is dropped first, block by block and only as
// much as the next one needs: nobody waits for more than that, and what is in use is soon back.
class TranslationCache {
 public:
  // `code_bytes` of code at most, at least kMinCodeBytes. `exchange` outlives the cache.
  static absl::StatusOr<std::unique_ptr<TranslationCache>> Create(size_t code_bytes,
                                                                  CodeExchange& exchange);
  static constexpr size_t kMinCodeBytes = size_t{1} << 20;

  // Called with each block that is dropped, unless all are: no jump cache may lead to it any more.
  void OnDrop(std::function<void(const Block&)> on_drop) { on_drop_ = std::move(on_drop); }

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

  // Patches the jump to lead to `target`.
  void Patch(Link& link, Block& target);
  // Drops what was made from [physical, physical + bytes).
  void Invalidate(Cpu& cpu, uint64_t physical, uint64_t bytes);
  // Drops everything.
  void Flush(Cpu& cpu);

  // The block whose code lies at a host address, and the guest RIP of the instruction there; null:
  // none of ours.
  const Block* FindInstruction(uint64_t host, uint64_t& rip) const;

  struct Statistics {
    uint64_t blocks = 0;
    uint64_t links = 0;
    uint64_t invalidated = 0;
    uint64_t evicted = 0;
    uint64_t flushes = 0;
    uint64_t code_bytes = 0;
    uint64_t guest_bytes = 0;        // of code that is translated now, in each of its translations
    uint64_t metadata_bytes = 0;     // what is kept beside them
    uint64_t translating_ticks = 0;  // of the TSC, in all
    uint64_t instructions = 0;
  };
  Statistics statistics() const;

 private:
  // Of one physical page, by their numbers in records_.blocks, ascending: also those that have been
  // dropped since, until there are too many of them.
  struct PageBlocks {
    std::vector<uint64_t> numbers;
    size_t live = 0;
    uint64_t lines = 0;  // a bit each: the 64-byte lines that any of them was made from
  };

  TranslationCache(CodeMemory memory, const Trampolines& trampolines, CodeExchange& exchange);

  void MakeRoom(Cpu& cpu);
  void Drop(Cpu& cpu, Block& block);
  void InvalidateInPage(Cpu& cpu, uint64_t physical, uint64_t bytes);
  static void Unlink(Link& link, const CodeMemory& memory);
  const Block* FindByCode(uint64_t host) const;
  bool IsLive(uint64_t number) const;
  void RegisterPage(Cpu& cpu, uint64_t physical_page, uint64_t number);
  void NoteLines(const Block& block);
  void UnregisterPage(Cpu& cpu, uint64_t physical_page);

  CodeExchange& exchange_;
  CodeMemory memory_;
  Trampolines trampolines_;
  TranslationRecords records_;
  Translator translator_;
  BlockTable table_;
  std::unordered_map<uint64_t, PageBlocks> by_page_;  // physical page
  std::function<void(const Block&)> on_drop_ = [](const Block&) {};
  Statistics statistics_;
};

}  // namespace hv::soft
