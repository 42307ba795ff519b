#include "hv_kernel/soft/translate/translation_cache.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "hv_kernel/soft/memory/tlb.h"

namespace hv::soft {
namespace {

// What of a page a block may be made from.
std::span<const uint8_t> PageFrom(const Cpu& cpu, uint64_t physical) {
  const PhysicalPage page = cpu.memory->Find(physical);
  if (page.host == nullptr) return {};
  const uint64_t offset = physical & kPageOffsetMask;
  return {page.host + offset, kPageBytes - offset};
}

}  // namespace

absl::StatusOr<std::unique_ptr<TranslationCache>> TranslationCache::Create(size_t code_bytes) {
  auto memory = CodeMemory::Create(code_bytes);
  if (!memory.ok()) return memory.status();
  auto trampolines = EmitTrampolines(*memory);
  if (!trampolines.ok()) return trampolines.status();
  return std::unique_ptr<TranslationCache>(
      new TranslationCache(*std::move(memory), *trampolines));
}

TranslationCache::TranslationCache(CodeMemory memory, const Trampolines& trampolines)
    : memory_(std::move(memory)),
      trampolines_(trampolines),
      translator_(memory_, trampolines_, sites_) {}

Block* TranslationCache::Translate(Cpu& cpu, uint64_t rip, uint64_t physical, uint64_t next_page,
                                   Mode mode) {
  CodeBytes bytes{.first = PageFrom(cpu, physical), .second = {}};
  if (next_page != 0) bytes.second = PageFrom(cpu, next_page);
  for (;;) {
    Block& block = blocks_.emplace_back();
    block.rip = rip;
    block.physical = physical;
    block.mode = mode;
    // Before the code is read, so that a write after this is noticed.
    RegisterPage(cpu, physical & kPageMask, block);
    const Translator::Result result = translator_.Translate(bytes, block);
    if (result == Translator::Result::kOk) {
      if ((physical & kPageOffsetMask) + block.bytes > kPageBytes && next_page != 0) {
        block.physical_next_page = next_page;
        RegisterPage(cpu, next_page, block);
      }
      table_.Insert(&block);
      ++statistics_.blocks;
      return &block;
    }
    by_page_[physical & kPageMask].pop_back();
    blocks_.pop_back();
    if (result == Translator::Result::kNeedsNextPage) return nullptr;
    Flush(cpu);
  }
}

void TranslationCache::RegisterPage(Cpu& cpu, uint64_t physical_page, Block& block) {
  std::vector<Block*>& blocks = by_page_[physical_page];
  if (blocks.empty()) {
    cpu.code->SetCode(cpu.memory->Find(physical_page).ram_page, true);
    DropWriteTags(cpu, physical_page);
  }
  blocks.push_back(&block);
}

void TranslationCache::Link(const LeaveSite& site, Block& target) {
  int32_t unlinked;
  uint8_t* at = memory_.Writable(site.patch);
  std::memcpy(&unlinked, at, sizeof(unlinked));
  const auto linked = static_cast<int32_t>(target.code - (site.patch + sizeof(int32_t)));
  std::memcpy(at, &linked, sizeof(linked));
  target.incoming.push_back({site.patch, unlinked});
  ++statistics_.links;
}

void TranslationCache::Drop(Block& block) {
  block.dropped = true;
  table_.Remove(&block);
  for (const Block::Link& link : block.incoming) {
    std::memcpy(memory_.Writable(link.patch), &link.unlinked, sizeof(link.unlinked));
  }
  block.incoming.clear();
  ++statistics_.invalidated;
}

void TranslationCache::Invalidate(Cpu& cpu, uint64_t physical, uint32_t bytes) {
  const uint64_t page = physical & kPageMask;
  const auto found = by_page_.find(page);
  if (found == by_page_.end()) return;
  std::vector<Block*>& blocks = found->second;
  const size_t before = blocks.size();
  std::erase_if(blocks, [&](Block* block) {
    if (block->dropped) return true;
    // The part of the block that lies in this page.
    uint64_t first = block->physical;
    uint64_t last = first + block->bytes;
    if (page == block->physical_next_page) {
      const uint64_t head = kPageBytes - (block->physical & kPageOffsetMask);
      first = page;
      last = page + (block->bytes - head);
    }
    if (physical >= last || physical + bytes <= first) return false;
    Drop(*block);
    return true;
  });
  if (blocks.size() != before) ClearJumpCaches(cpu);
  if (blocks.empty()) {
    cpu.code->SetCode(cpu.memory->Find(page).ram_page, false);
    by_page_.erase(found);
  }
}

void TranslationCache::Flush(Cpu& cpu) {
  for (const auto& [page, blocks] : by_page_) {
    cpu.code->SetCode(cpu.memory->Find(page).ram_page, false);
  }
  by_page_.clear();
  table_.Clear();
  blocks_.clear();
  sites_.clear();
  memory_.Truncate(trampolines_.bytes);
  ClearJumpCaches(cpu);
  ++statistics_.flushes;
}

bool TranslationCache::FindRip(uint64_t host, uint64_t& rip) const {
  auto after = std::upper_bound(blocks_.begin(), blocks_.end(), host,
                                [](uint64_t at, const Block& block) { return at < block.code; });
  if (after == blocks_.begin()) return false;
  const Block& block = *std::prev(after);
  const uint64_t offset = host - block.code;
  if (offset >= block.code_bytes || block.places.empty()) return false;
  auto place = std::upper_bound(
      block.places.begin(), block.places.end(), offset,
      [](uint64_t at, const InstructionPlace& candidate) { return at < candidate.host_offset; });
  if (place == block.places.begin()) return false;
  rip = block.rip + std::prev(place)->rip_offset;
  return true;
}

TranslationCache::Statistics TranslationCache::statistics() const {
  Statistics statistics = statistics_;
  statistics.code_bytes = memory_.used();
  statistics.instructions = translator_.instructions();
  return statistics;
}

}  // namespace hv::soft
