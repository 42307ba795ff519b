#include "hv_kernel/soft/translate/translation_cache.h"

#include <x86intrin.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
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

// Bytes of the block in its first page.
uint64_t BytesInFirstPage(const Block& block) {
  return std::min<uint64_t>(block.bytes, kPageBytes - (block.physical & kPageOffsetMask));
}

// Whether any of the bytes, which lie in one page, are the block's.
bool MadeFrom(const Block& block, uint64_t physical, uint64_t bytes) {
  const auto meets = [&](uint64_t first, uint64_t count) {
    return physical < first + count && first < physical + bytes;
  };
  const uint64_t here = BytesInFirstPage(block);
  if (meets(block.physical, here)) return true;
  return block.physical_next_page != 0 && meets(block.physical_next_page, block.bytes - here);
}

// The 64-byte lines of the page that the bytes lie in.
uint64_t LinesOf(uint64_t physical, uint64_t bytes) {
  constexpr unsigned kLineShift = 6;
  if (bytes == 0) return 0;
  const unsigned first = (physical & kPageOffsetMask) >> kLineShift;
  const unsigned last = ((physical & kPageOffsetMask) + bytes - 1) >> kLineShift;
  return (~uint64_t{0} >> (63 - (last - first))) << first;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TranslationCache>> TranslationCache::Create(size_t code_bytes,
                                                                           CodeExchange& exchange) {
  if (code_bytes < kMinCodeBytes) {
    return absl::InvalidArgumentError(absl::StrCat("translation cache: ", code_bytes,
                                                   " bytes, must be at least ", kMinCodeBytes));
  }
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
      translator_(memory_, trampolines_, records_) {}

Block* TranslationCache::Translate(Cpu& cpu, uint64_t rip, uint64_t physical, uint64_t next_page,
                                   Mode mode) {
  const uint64_t began = __rdtsc();
  CodeBytes bytes{.first = PageFrom(cpu, physical), .second = {}};
  if (next_page != 0) bytes.second = PageFrom(cpu, next_page);
  MakeRoom(cpu);
  Block& block = records_.AddBlock();
  const uint64_t number = records_.blocks.end() - 1;
  block.rip = rip;
  block.physical = physical;
  block.mode = mode;
  block.physical_next_page = next_page;
  // Before the code is read, so that a write after this is noticed.
  RegisterPage(cpu, physical & kPageMask, number);
  if (next_page != 0) RegisterPage(cpu, next_page, number);
  const bool made = translator_.Translate(bytes, block);
  if (made) {
    NoteHead(bytes.first, block);
    NoteLines(block);
    table_.Insert(&block);
    statistics_.guest_bytes += block.bytes;
    ++statistics_.blocks;
  } else {
    if (next_page != 0) UnregisterPage(cpu, next_page);
    UnregisterPage(cpu, physical & kPageMask);
    records_.blocks.DropLast();
  }
  statistics_.translating_ticks += __rdtsc() - began;
  return made ? &block : nullptr;
}

void TranslationCache::MakeRoom(Cpu& cpu) {
  while (!memory_.Reserve(Translator::kRoom)) {
    Block& oldest = records_.blocks.front();
    if (!oldest.dropped) {
      Drop(cpu, oldest);
      ++statistics_.evicted;
    }
    for (uint64_t i = 0; i < oldest.links; ++i) {
      Link& link = records_.links[records_.links.begin() + i];
      if (link.target != nullptr) Unlink(link, memory_);
    }
    records_.DropOldestBlock();
    if (records_.blocks.empty()) {
      memory_.DropAll();
    } else {
      memory_.DropBefore(records_.blocks.front().code);
    }
  }
}

bool TranslationCache::IsLive(uint64_t number) const {
  return number >= records_.blocks.begin() && !records_.blocks[number].dropped;
}

void TranslationCache::RegisterPage(Cpu& cpu, uint64_t physical_page, uint64_t number) {
  const auto [at, is_new] = by_page_.try_emplace(physical_page);
  if (is_new) exchange_.Claim(*cpu.peer, physical_page, cpu.memory->Find(physical_page).ram_page);
  PageBlocks& page = at->second;
  if (page.numbers.size() == page.numbers.capacity() && page.live < page.numbers.size() / 2) {
    std::erase_if(page.numbers, [&](uint64_t old) { return !IsLive(old); });
  }
  page.numbers.push_back(number);
  ++page.live;
}

void TranslationCache::NoteLines(const Block& block) {
  const uint64_t here = BytesInFirstPage(block);
  by_page_[block.physical & kPageMask].lines |= LinesOf(block.physical, here);
  if (block.physical_next_page == 0) return;
  by_page_[block.physical_next_page].lines |= LinesOf(0, block.bytes - here);
}

// For one block less.
void TranslationCache::UnregisterPage(Cpu& cpu, uint64_t physical_page) {
  const auto at = by_page_.find(physical_page);
  if (--at->second.live != 0) return;
  by_page_.erase(at);
  cpu.code->RemoveHolder(cpu.memory->Find(physical_page).ram_page);
}

void TranslationCache::Patch(Link& link, Block& target) {
  CHECK(link.target == nullptr);
  uint8_t* at = memory_.Writable(link.patch);
  std::memcpy(&link.unlinked, at, sizeof(link.unlinked));
  const auto linked = static_cast<int32_t>(target.link_code - (link.patch + sizeof(int32_t)));
  std::memcpy(at, &linked, sizeof(linked));
  link.target = &target;
  link.next = target.incoming;
  link.previous = &target.incoming;
  if (link.next != nullptr) link.next->previous = &link.next;
  target.incoming = &link;
  ++statistics_.links;
}

void TranslationCache::Unlink(Link& link, const CodeMemory& memory) {
  std::memcpy(memory.Writable(link.patch), &link.unlinked, sizeof(link.unlinked));
  *link.previous = link.next;
  if (link.next != nullptr) link.next->previous = link.previous;
  link.target = nullptr;
}

// Nothing leads to the block any more. It may still be running: its memory is not reused yet.
void TranslationCache::Drop(Cpu& cpu, Block& block) {
  block.dropped = true;
  table_.Remove(&block);
  while (block.incoming != nullptr) Unlink(*block.incoming, memory_);
  UnregisterPage(cpu, block.physical & kPageMask);
  if (block.physical_next_page != 0) UnregisterPage(cpu, block.physical_next_page);
  statistics_.guest_bytes -= block.bytes;
  on_drop_(block);
}

void TranslationCache::Invalidate(Cpu& cpu, uint64_t physical, uint64_t bytes) {
  for (const uint64_t end = physical + bytes; physical < end;) {
    const uint64_t here = std::min(end - physical, kPageBytes - (physical & kPageOffsetMask));
    InvalidateInPage(cpu, physical, here);
    physical += here;
  }
}

void TranslationCache::InvalidateInPage(Cpu& cpu, uint64_t physical, uint64_t bytes) {
  const auto found = by_page_.find(physical & kPageMask);
  if (found == by_page_.end() || (found->second.lines & LinesOf(physical, bytes)) == 0) return;
  for (size_t i = 0; i < found->second.numbers.size(); ++i) {
    const uint64_t number = found->second.numbers[i];
    if (!IsLive(number)) continue;
    Block& block = records_.blocks[number];
    if (!MadeFrom(block, physical, bytes)) continue;
    Drop(cpu, block);
    ++statistics_.invalidated;
    if (!by_page_.contains(physical & kPageMask)) return;  // that was the last one
  }
}

void TranslationCache::Flush(Cpu& cpu) {
  for (const auto& [page, blocks] : by_page_) {
    cpu.code->RemoveHolder(cpu.memory->Find(page).ram_page);
  }
  by_page_.clear();
  table_.Clear();
  records_.Clear();
  statistics_.guest_bytes = 0;
  memory_.DropAll();
  ClearJumpCaches(cpu);
  ++statistics_.flushes;
}

const Block* TranslationCache::FindByCode(uint64_t host) const {
  const Fifo<Block>& blocks = records_.blocks;
  if (blocks.empty() || host < memory_.begin() || host >= memory_.end()) return nullptr;
  // The blocks' code ascends from the oldest one's, around the end of code memory once.
  const uint64_t size = memory_.end() - memory_.begin();
  const auto order = [&](uint64_t address) {
    const uint64_t oldest = blocks[blocks.begin()].code;
    return address >= oldest ? address - oldest : address + size - oldest;
  };
  uint64_t first = blocks.begin();
  for (uint64_t end = blocks.end(); end - first > 1;) {
    const uint64_t middle = first + (end - first) / 2;
    (order(blocks[middle].code) <= order(host) ? first : end) = middle;
  }
  const Block& block = blocks[first];
  return host >= block.code && host - block.code < block.code_bytes ? &block : nullptr;
}

const Block* TranslationCache::FindInstruction(uint64_t host, uint64_t& rip) const {
  const Block* block = FindByCode(host);
  if (block == nullptr) return nullptr;
  const uint64_t offset = host - block->code;
  // The last place at or before it.
  uint64_t after = block->first_place;
  for (uint64_t end = block->first_place + block->places; after < end;) {
    const uint64_t middle = after + (end - after) / 2;
    if (records_.places[middle].host_offset <= offset) {
      after = middle + 1;
    } else {
      end = middle;
    }
  }
  if (after == block->first_place) return nullptr;
  rip = block->rip + records_.places[after - 1].rip_offset;
  return block;
}

TranslationCache::Statistics TranslationCache::statistics() const {
  Statistics statistics = statistics_;
  statistics.code_bytes = memory_.used();
  statistics.metadata_bytes = records_.bytes();
  statistics.instructions = translator_.instructions();
  return statistics;
}

}  // namespace hv::soft
