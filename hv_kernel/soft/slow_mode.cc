// The part of the dispatcher that runs one instruction with its memory operands looked at one by
// one.
#include "hv_kernel/soft/dispatcher.h"
#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/system/breakpoints.h"

namespace hv::soft {

// Crossing pages, devices, ROM, pages with code or breakpoints: each operand is looked at by
// itself.
Dispatcher::Turn Dispatcher::RunSlow(uint64_t rip) {
  ++slow_instructions_;
  cpu_.rip = rip;
  cpu_.bounce_count = 0;
  cpu_.read_cursor = 0;
  slow_ = true;
  return Turn::kNext;  // FindCode takes the slow translation
}

// Where the operand is, for an instruction in slow mode: RAM itself if it lies in one page of it,
// so that LOCK and plain stores stay what they are to other vCPUs; else a buffer.
Dispatcher::Turn Dispatcher::ServeSlowProbe(const LeaveSite& site) {
  const uint64_t linear = cpu_.host_r10;
  cpu_.rip = site.rip;
  Cpu::Bounce& bounce = cpu_.bounced[cpu_.bounce_count];
  bounce = {.linear = linear,
            .host = 0,
            .bytes = site.bytes,
            .write = site.use != MemoryUse::kRead,
            .stack = site.stack,
            .direct = false,
            .physical = 0,
            .ram_page = 0};
  Outcome outcome = Outcome::kDone;
  if ((linear & kPageOffsetMask) + site.bytes <= kPageBytes) outcome = ProbeRam(bounce);
  if (outcome == Outcome::kDone && !bounce.direct) {
    outcome = FillBuffer(bounce, site.use != MemoryUse::kWrite);
  }
  if (outcome != Outcome::kDone) return Resolve(outcome);
  ++cpu_.bounce_count;
  cpu_.host_r10 = bounce.host;
  code_ = site.resume;
  return Turn::kNext;
}

Outcome Dispatcher::ProbeRam(Cpu::Bounce& bounce) {
  const AccessKind kind = bounce.write ? AccessKind::kWrite : AccessKind::kRead;
  Location at;
  HV_RETURN_UNLESS_DONE(Locate(cpu_, bounce.linear, kind, CurrentTlbIndex(cpu_), bounce.stack, at));
  if (at.host == nullptr || (bounce.write && !at.writable)) return Outcome::kDone;
  bounce.direct = true;
  bounce.host = reinterpret_cast<uint64_t>(at.host);
  bounce.physical = at.physical;
  bounce.ram_page = at.ram_page;
  NoteDataAccess(cpu_, bounce.linear, bounce.bytes, bounce.write);
  return Outcome::kDone;
}

Outcome Dispatcher::FillBuffer(Cpu::Bounce& bounce, bool read) {
  constexpr uint64_t kAlignment = 64;
  const TlbIndex index = CurrentTlbIndex(cpu_);
  // Aligned as the guest's address is, for what checks alignment.
  bounce.host =
      reinterpret_cast<uint64_t>(cpu_.bounce[cpu_.bounce_count]) + bounce.linear % kAlignment;
  if (bounce.write) {
    HV_RETURN_UNLESS_DONE(CheckWritable(cpu_, bounce.linear, bounce.bytes, index, bounce.stack));
  }
  if (!read) return Outcome::kDone;
  return ReadLinear(cpu_, bounce.linear, reinterpret_cast<void*>(bounce.host), bounce.bytes, index,
                    bounce.stack);
}

Dispatcher::Turn Dispatcher::FinishSlow() {
  const TlbIndex index = CurrentTlbIndex(cpu_);
  for (uint32_t i = 0; i < cpu_.bounce_count; ++i) {
    const Cpu::Bounce& bounce = cpu_.bounced[i];
    if (!bounce.write) continue;
    if (bounce.direct) {
      NoteStore(cpu_, bounce.physical, bounce.ram_page, bounce.bytes);
      continue;
    }
    // Checked before the instruction ran; another vCPU may have taken the page away since. The
    // write is then lost, as a write just before the change would have been.
    (void)WriteLinear(cpu_, bounce.linear, reinterpret_cast<const void*>(bounce.host), bounce.bytes,
                      index, bounce.stack);
  }
  return Resolve(Outcome::kDone);
}

}  // namespace hv::soft
