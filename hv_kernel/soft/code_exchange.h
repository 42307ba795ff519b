// How the vCPUs of one machine keep their translations true to guest memory: each has its own, made
// from pages that all of them can write.
//
// A vCPU is reached through its attention pointer, which every block of its code looks through, and
// every turn of a loop inside one: pointed at a word that is not zero, it leaves its code there and
// looks into its mail.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "hv_kernel/soft/code_tracker.h"
#include "hv_kernel/soft/cpu.h"

namespace hv::soft {

// What waits for a vCPU: stores of others to pages it holds code of.
struct CodeMail {
  std::vector<Cpu::CodeWrite> writes;
  bool overflow = false;  // more than could be told
};

// The part of a vCPU that the others see. Guarded by the exchange's mutex where it is not atomic.
struct CodePeer {
  explicit CodePeer(Cpu& of) : cpu(of) {}

  Cpu& cpu;
  // The vCPU is using its TLB: others wait for its answer.
  std::atomic<bool> inside{false};
  // Write tags to be dropped, by physical page. `done` is released when those up to a number are
  // gone, and acquired by who waits for that.
  std::vector<uint64_t> drops;
  uint64_t drops_posted = 0;
  std::atomic<uint64_t> drops_done{0};
  CodeMail mail;
};

class CodeExchange {
 public:
  CodeTracker& tracker() { return tracker_; }

  // The vCPU is not inside.
  std::shared_ptr<CodePeer> Join(Cpu& cpu);
  void Leave(const std::shared_ptr<CodePeer>& peer);

  // `self` is about to translate from a page it held no code of. When this returns no vCPU has a
  // write tag for it. May wait for others to reach the end of a block.
  void Claim(CodePeer& self, uint64_t physical_page, uint64_t ram_page);

  // `self` has stored to a page with code, or to more than it could note: the others are told.
  // `self` runs no guest instruction in between, so they know before any later store of it can be
  // seen.
  void Announce(const CodePeer& self, const Cpu::CodeWrite& write);
  void AnnounceOverflow(const CodePeer& self);

  // Drops the write tags that others want gone. By `self`, between two blocks.
  void DropTags(CodePeer& self);
  // As DropTags; ends the kick and hands over the mail.
  CodeMail Take(CodePeer& self);

 private:
  void Kick(CodePeer& peer);
  void DropTagsLocked(CodePeer& self);

  CodeTracker tracker_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<CodePeer>> peers_;
};

// While one lives, the vCPU counts as using its TLB.
class InsideGuest {
 public:
  // Pairs with Claim(): it posts, then looks at `inside`; here `inside` is set, then the mail
  // looked at.
  explicit InsideGuest(CodePeer& peer) : peer_(peer) {
    peer_.inside.store(true, std::memory_order_seq_cst);
  }
  ~InsideGuest() { peer_.inside.store(false, std::memory_order_release); }
  InsideGuest(const InsideGuest&) = delete;
  InsideGuest& operator=(const InsideGuest&) = delete;

 private:
  CodePeer& peer_;
};

}  // namespace hv::soft
