// The part of the dispatcher that serves accesses which missed the TLB.
#include "hv_kernel/soft/dispatcher.h"
#include "hv_kernel/soft/memory/bulk_copy.h"
#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/memory/tlb.h"
#include "hv_kernel/soft/system/breakpoints.h"
#include "hv_kernel/soft/system/device_moves.h"

namespace hv::soft {

// An access to two pages, the first of which is in the TLB if it can be: in place where the host
// has one behind the other, a read from a copy elsewhere. `host` stays 0 where that cannot be.
Outcome Dispatcher::FindInTwoPages(const LeaveSite& site, uint64_t linear, uint64_t& host) {
  const bool write = site.use != MemoryUse::kRead;
  const TlbIndex index = CurrentTlbIndex(cpu_);
  uint64_t second = (linear & kPageMask) + kPageBytes;
  if (!LongModeActive(cpu_)) second &= 0xffffffffu;
  const AccessKind kind = write ? AccessKind::kWrite : AccessKind::kRead;
  Location at;
  HV_RETURN_UNLESS_DONE(Locate(cpu_, second, kind, index, site.stack, at));
  uint8_t* head = FindInTlb(cpu_, index, linear, 1, write);
  const uint8_t* tail = FindInTlb(cpu_, index, second, 1, write);
  if (head == nullptr || tail == nullptr) return Outcome::kDone;
  const auto first = static_cast<uint32_t>(kPageBytes - (linear & kPageOffsetMask));
  if (tail == head + first) {
    host = reinterpret_cast<uint64_t>(head);
  } else if (!write) {
    // Aligned as the guest's address is, for what checks alignment.
    uint8_t* copy = cpu_.bounce[0] + linear % 64;
    CopyBytes(copy, head, first);
    CopyBytes(copy + first, tail, site.bytes - first);
    host = reinterpret_cast<uint64_t>(copy);
  }
  return Outcome::kDone;
}

Dispatcher::Turn Dispatcher::ServeMemory(const LeaveSite& site) {
  ++tlb_misses_;
  const uint64_t linear = cpu_.host_r10;
  const bool write = site.use != MemoryUse::kRead;
  const AccessKind kind = write ? AccessKind::kWrite : AccessKind::kRead;
  const TlbIndex index = CurrentTlbIndex(cpu_);
  Location at;
  cpu_.rip = site.rip;
  Outcome outcome = CheckCanonical(cpu_, linear, site.bytes, site.stack);
  if (outcome == Outcome::kDone) outcome = Locate(cpu_, linear, kind, index, site.stack, at);
  if (outcome != Outcome::kDone) return Resolve(outcome);
  if (at.host == nullptr && site.move.kind != DeviceMove::Kind::kNone &&
      IsOneDeviceAccess(at.physical, site.bytes)) {
    BeginByHand(site.length);
    NoteDataAccess(cpu_, linear, site.bytes, write);
    const Outcome moved =
        MoveDevice(cpu_, site.move, at.physical, static_cast<uint8_t>(site.bytes));
    if (moved == Outcome::kDone) cpu_.rip = cpu_.next_rip;
    return Resolve(moved);
  }
  if (FindInTlb(cpu_, index, linear, site.bytes, write) != nullptr) {
    if (!site.miss_ends) code_ = site.resume;
    return Turn::kNext;
  }
  if ((linear & kPageOffsetMask) + site.bytes > kPageBytes) {
    uint64_t host = 0;
    outcome = FindInTwoPages(site, linear, host);
    if (outcome != Outcome::kDone) return Resolve(outcome);
    if (host != 0) {
      if (site.miss_ends) return Turn::kNext;
      cpu_.host_r10 = host;
      code_ = site.resume + site.found;
      return Turn::kNext;
    }
  }
  // Stores to pages with code among them, of which Linux makes tens of thousands while it boots.
  if (const auto value = StoredBy(cpu_, site.move, static_cast<uint8_t>(site.bytes))) {
    BeginByHand(site.length);
    outcome = WriteLinear(cpu_, linear, &*value, site.bytes, index, site.stack);
    if (outcome == Outcome::kDone) cpu_.rip = cpu_.next_rip;
    return Resolve(outcome);
  }
  return RunSlow(site.rip);
}

}  // namespace hv::soft
