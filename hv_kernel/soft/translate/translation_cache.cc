#include "hv_kernel/soft/translate/translation_cache.h"

#include <x86intrin.h>

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

void NoteHead(std::span<const uint8_t> bytes, Block& block) {
  if (bytes.size() < sizeof(block.head)) return;  // at the very end of the page
  block.head_mask =
      block.bytes >= sizeof(block.head) ? ~uint64_t{0} : (uint64_t{1} << (8 * block.bytes)) - 1;
  std::memcpy(&block.head, bytes.data(), sizeof(block.head));
  block.head &= block.head_mask;
}

// Whether any of the bytes, which lie in one page, are the block's.
bool MadeFrom(const Block& block, uint64_t physical, uint32_t bytes) {
  const auto meets = [&](uint64_t first, uint64_t count) {
    return physical < first + count && first < physical + bytes;
  };
  const uint64_t room = kPageBytes - (block.physical & kPageOffsetMask);
  if (meets(block.physical, std::min<uint64_t>(block.bytes, room))) return true;
  return block.physical_next_page != 0 && block.bytes > room &&
         meets(block.physical_next_page, block.bytes - room);
}

}  // namespace

absl::StatusOr<std::unique_ptr<TranslationCache>> TranslationCache::Create(size_t code_bytes,
                                                                           CodeExchange& exchange) {
  auto memory = CodeMemory::Create(code_bytes);
  if (!memory.ok()) return memory.status();
  auto trampolines = EmitTrampolines(*memory);
  if (!trampolines.ok()) return trampolines.status();
  return std::unique_ptr<TranslationCache>(
      new TranslationCache(*std::move(memory), *trampolines, exchange));
}

TranslationCache::TranslationCache(CodeMemory memory, const Trampolines& trampolines,
                                   CodeExchange& exchange)
    : exchange_(exchange),
      memory_(std::move(memory)),
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
    block.physical_next_page = next_page;
    const uint64_t sites_before = sites_.bytes();
    const uint64_t began = __rdtsc();
    // Before the code is read, so that a write after this is noticed.
    RegisterPage(cpu, physical & kPageMask, block);
    if (next_page != 0) RegisterPage(cpu, next_page, block);
    const Translator::Result result = translator_.Translate(bytes, block);
    statistics_.translating_ticks += __rdtsc() - began;
    if (result == Translator::Result::kOk) {
      statistics_.guest_bytes += block.bytes;
      statistics_.metadata_bytes += sizeof(Block) + block.places.size() * sizeof(InstructionPlace) +
                                    sites_.bytes() - sites_before;
      NoteHead(bytes.first, block);
      table_.Insert(&block);
      ++statistics_.blocks;
      return &block;
    }
    if (next_page != 0) UnregisterPage(cpu, next_page);
    UnregisterPage(cpu, physical & kPageMask);
    blocks_.pop_back();
    if (result == Translator::Result::kNeedsNextPage) return nullptr;
    Flush(cpu);
  }
}

void TranslationCache::RegisterPage(Cpu& cpu, uint64_t physical_page, Block& block) {
  const auto [at, is_new] = by_page_.try_emplace(physical_page);
  if (is_new) exchange_.Claim(*cpu.peer, physical_page, cpu.memory->Find(physical_page).ram_page);
  at->second.push_back(&block);
}

// Takes back the last RegisterPage().
void TranslationCache::UnregisterPage(Cpu& cpu, uint64_t physical_page) {
  const auto at = by_page_.find(physical_page);
  at->second.pop_back();
  if (!at->second.empty()) return;
  by_page_.erase(at);
  cpu.code->RemoveHolder(cpu.memory->Find(physical_page).ram_page);
}

void TranslationCache::Link(const LeaveSite& site, Block& target) {
  int32_t unlinked;
  uint8_t* at = memory_.Writable(site.patch);
  std::memcpy(&unlinked, at, sizeof(unlinked));
  const auto linked = static_cast<int32_t>(target.link_code - (site.patch + sizeof(int32_t)));
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

void TranslationCache::Invalidate(Cpu& cpu, uint64_t physical, uint32_t bytes,
                                  std::vector<Block*>& dropped) {
  const uint64_t page = physical & kPageMask;
  const auto found = by_page_.find(page);
  if (found == by_page_.end()) return;
  std::vector<Block*>& blocks = found->second;
  std::erase_if(blocks, [&](Block* block) {
    if (block->dropped) return true;
    if (!MadeFrom(*block, physical, bytes)) return false;
    Drop(*block);
    dropped.push_back(block);
    return true;
  });
  if (blocks.empty()) {
    cpu.code->RemoveHolder(cpu.memory->Find(page).ram_page);
    by_page_.erase(found);
  }
}

void TranslationCache::Flush(Cpu& cpu) {
  for (const auto& [page, blocks] : by_page_) {
    cpu.code->RemoveHolder(cpu.memory->Find(page).ram_page);
  }
  by_page_.clear();
  table_.Clear();
  blocks_.clear();
  sites_.Clear();
  statistics_.guest_bytes = statistics_.metadata_bytes = 0;
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
