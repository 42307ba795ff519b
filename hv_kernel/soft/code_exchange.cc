#include "hv_kernel/soft/code_exchange.h"

#include <sched.h>

#include <algorithm>
#include <utility>

#include "hv_kernel/soft/memory/tlb.h"

namespace hv::soft {
namespace {

constexpr size_t kMaxMail = 256;

// What a kicked vCPU's attention pointer leads to.
const std::atomic<uint32_t> kKicked{1};

}  // namespace

std::shared_ptr<CodePeer> CodeExchange::Join(Cpu& cpu) {
  std::lock_guard lock(mutex_);
  peers_.push_back(std::make_shared<CodePeer>(cpu));
  tracker_.SetShared(peers_.size() > 1);
  return peers_.back();
}

void CodeExchange::Leave(const std::shared_ptr<CodePeer>& peer) {
  std::lock_guard lock(mutex_);
  std::erase(peers_, peer);
  tracker_.SetShared(peers_.size() > 1);
}

void CodeExchange::Kick(CodePeer& peer) {
  __atomic_store_n(&peer.cpu.attention, &kKicked, __ATOMIC_SEQ_CST);
}

void CodeExchange::Claim(CodePeer& self, uint64_t physical_page, uint64_t ram_page) {
  const uint32_t holders = tracker_.AddHolder(ram_page);
  DropWriteTags(self.cpu, physical_page);
  // Whoever held code before has seen to the others' tags, and no new ones were entered since.
  if (holders != 0) return;
  std::vector<std::pair<std::shared_ptr<CodePeer>, uint64_t>> awaited;
  {
    std::lock_guard lock(mutex_);
    for (const auto& peer : peers_) {
      if (peer.get() == &self || !HasWriteTag(peer->cpu, physical_page)) continue;
      peer->drops.push_back(physical_page);
      ++peer->drops_posted;
      Kick(*peer);
      awaited.emplace_back(peer, peer->drops_posted);
    }
  }
  for (const auto& [peer, posted] : awaited) {
    while (peer->inside.load(std::memory_order_seq_cst) &&
           peer->drops_done.load(std::memory_order_acquire) < posted) {
      DropTags(self);  // the peer may be waiting for this one
      sched_yield();
    }
  }
}

void CodeExchange::Announce(const CodePeer& self, const Cpu::CodeWrite& write) {
  std::lock_guard lock(mutex_);
  for (const auto& peer : peers_) {
    if (peer.get() == &self) continue;
    if (peer->mail.writes.size() < kMaxMail) {
      peer->mail.writes.push_back(write);
    } else {
      peer->mail.overflow = true;
    }
    Kick(*peer);
  }
}

void CodeExchange::AnnounceOverflow(const CodePeer& self) {
  std::lock_guard lock(mutex_);
  for (const auto& peer : peers_) {
    if (peer.get() == &self) continue;
    peer->mail.overflow = true;
    Kick(*peer);
  }
}

void CodeExchange::DropTagsLocked(CodePeer& self) {
  for (uint64_t page : self.drops) DropWriteTags(self.cpu, page);
  self.drops.clear();
  self.drops_done.store(self.drops_posted, std::memory_order_release);
}

void CodeExchange::DropTags(CodePeer& self) {
  std::lock_guard lock(mutex_);
  DropTagsLocked(self);
}

CodeMail CodeExchange::Take(CodePeer& self) {
  std::lock_guard lock(mutex_);
  DropTagsLocked(self);
  __atomic_store_n(&self.cpu.attention, self.cpu.config.attention, __ATOMIC_RELAXED);
  return std::exchange(self.mail, {});
}

}  // namespace hv::soft
