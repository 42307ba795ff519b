#include "hv_kernel/soft/soft_vcpu.h"

#include <sys/mman.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hv_kernel/soft/decoder.h"
#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/memory/tlb.h"
#include "hv_kernel/soft/register_state.h"
#include "hv_kernel/soft/report.h"

namespace hv::soft {
namespace {

// A host signal leaves code by none of its ways out.
void PutBackSetAside(Cpu& cpu, const Block& block) {
  for (uint32_t guest = HV_RAX; guest <= HV_R15; ++guest) {
    if ((block.set_aside >> guest & 1) != 0) cpu.gpr[guest] = cpu.set_aside[guest];
  }
}

}  // namespace

void SoftVcpu::Unmap::operator()(Cpu* cpu) const { munmap(cpu, sizeof(Cpu)); }

absl::StatusOr<std::unique_ptr<SoftVcpu>> SoftVcpu::Create(const VcpuConfig& config,
                                                           const PhysicalMemory& memory,
                                                           CodeExchange& exchange,
                                                           const SoftOptions& options) {
  auto cache = TranslationCache::Create(options.code_bytes, exchange);
  if (!cache.ok()) return cache.status();
  void* raw =
      mmap(nullptr, sizeof(Cpu), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) return absl::ResourceExhaustedError("soft engine: no memory for a vCPU");
  CpuMemory cpu(static_cast<Cpu*>(raw));
  cpu->attention = config.attention;
  cpu->memory = &memory;
  cpu->code = &exchange.tracker();
  cpu->config = config;
  cpu->tlb_slot_mask = (kTlbEntries - 1) * kPageBytes;
  cpu->page_mask = kPageMask;
  cpu->jump_slot_mask = (kJumpCacheEntries - 1) << kJumpSlotShift;
  ResetTlb(*cpu);
  return std::unique_ptr<SoftVcpu>(
      new SoftVcpu(std::move(cpu), exchange, *std::move(cache), options.cold_turns));
}

SoftVcpu::SoftVcpu(CpuMemory cpu, CodeExchange& exchange, std::unique_ptr<TranslationCache> cache,
                   uint8_t cold_turns)
    : cpu_(std::move(cpu)),
      exchange_(exchange),
      peer_(exchange.Join(*cpu_)),
      cache_(std::move(cache)),
      dispatcher_(*cpu_, *cache_, cold_turns),
      fault_context_({.cpu = cpu_.get(),
                      .code_begin = cache_->code_begin(),
                      .code_end = cache_->code_end(),
                      .leave = cache_->trampolines().leave}) {
  cpu_->peer = peer_.get();
  cache_->OnDrop([this](const Block& block) { dispatcher_.Forget(block); });
}

SoftVcpu::~SoftVcpu() {
  cache_->Flush(*cpu_);  // holds no code any more
  exchange_.Leave(peer_);
}

bool SoftVcpu::Satisfy(Need need) {
  switch (need) {
    case Need::kExit: return false;
    case Need::kTranslate: Translate(); return !shut_down_;
    case Need::kLink: cache_->Patch(*dispatcher_.site().link, dispatcher_.block()); return true;
    case Need::kInvalidate: CleanUpCodeWrites(); return true;
    case Need::kVector: return dispatcher_.Settle(dispatcher_.Execute(dispatcher_.site()));
    case Need::kHostFault: return TakeHostFault();
  }
  return false;
}

void SoftVcpu::Translate() {
  Cpu& cpu = *cpu_;
  const uint64_t physical = dispatcher_.physical();
  const Mode mode = dispatcher_.mode();
  if (Block* block = cache_->Translate(cpu, cpu.rip, physical, 0, mode)) {
    return dispatcher_.Remember(*block);
  }
  // The first instruction reaches into the next page: that one has to be fetched too.
  const uint64_t base = mode.code() == CodeMode::k64 ? 0 : cpu.segment[HV_CS].base;
  const uint64_t next = ((base + cpu.rip) & kPageMask) + kPageBytes;
  Location at;
  const Outcome outcome = Locate(cpu, next, AccessKind::kExecute, mode.tlb(), false, at);
  if (outcome != Outcome::kDone) {
    if (!dispatcher_.Settle(outcome)) shut_down_ = true;
    return;
  }
  if (at.host == nullptr ||
      cache_->Translate(cpu, cpu.rip, physical, at.physical & kPageMask, mode) == nullptr) {
    Raise(cpu, Vector::kInvalidOpcode);
    if (!dispatcher_.Settle(Outcome::kException)) shut_down_ = true;
  }
}

void SoftVcpu::CleanUpCodeWrites() {
  Cpu& cpu = *cpu_;
  const CodeMail mail = exchange_.Take(*peer_);
  const bool overflow = cpu.code_write_count > Cpu::kMaxCodeWrites;
  const uint32_t count = overflow ? 0 : cpu.code_write_count;
  if (overflow) exchange_.AnnounceOverflow(*peer_);
  for (uint32_t i = 0; i < count; ++i) exchange_.Announce(*peer_, cpu.code_writes[i]);
  cpu.code_write_count = 0;
  if (overflow || mail.overflow) return cache_->Flush(cpu);
  for (uint32_t i = 0; i < count; ++i) {
    cache_->Invalidate(cpu, cpu.code_writes[i].physical, cpu.code_writes[i].bytes);
  }
  for (const Cpu::CodeWrite& write : mail.writes) {
    cache_->Invalidate(cpu, write.physical, write.bytes);
  }
}

bool SoftVcpu::TakeHostFault() {
  Cpu& cpu = *cpu_;
  const Block* block = cache_->FindInstruction(cpu.fault_pc, cpu.rip);
  if (block == nullptr) {
    cpu.exit = {.reason = ExitReason::kUnsupported, .address = cpu.fault_pc};
    return false;
  }
  PutBackSetAside(cpu, *block);
  const Vector vector = VectorOfSignal(cpu.fault_signal, cpu.fault_trap);
  if (vector == Vector::kGeneralProtection) {
    RaiseWithCode(cpu, vector, 0);
  } else {
    Raise(cpu, vector);
  }
  return dispatcher_.Settle(Outcome::kException);
}

void SoftVcpu::GetState(hv_vcpu_state& state) const { SaveRegisters(*cpu_, state); }

absl::Status SoftVcpu::SetState(const hv_vcpu_state& state) {
  if (auto status = LoadRegisters(state, *cpu_); !status.ok()) return status;
  shut_down_ = false;
  ResetTlb(*cpu_);
  return absl::OkStatus();
}

std::string SoftVcpu::Describe() const { return DescribeCpu(*cpu_); }

std::string SoftVcpu::BytesAtRip() const {
  uint8_t bytes[kMaxInstructionBytes];
  return std::string(reinterpret_cast<const char*>(bytes), FetchForReport(*cpu_, bytes));
}

void SoftVcpu::ForgetMemory() {
  cache_->Flush(*cpu_);
  ForgetAddresses();
}

void SoftVcpu::ForgetAddresses() { ResetTlb(*cpu_); }

}  // namespace hv::soft
