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
#include "hv_kernel/soft/system/events.h"

namespace hv::soft {
namespace {

constexpr uint64_t kXsaveFeatures = 7;  // x87, SSE, AVX
constexpr uint32_t kHostMxcsr = 0x1f80;

}  // namespace

void SoftVcpu::Unmap::operator()(Cpu* cpu) const { munmap(cpu, sizeof(Cpu)); }

absl::StatusOr<std::unique_ptr<SoftVcpu>> SoftVcpu::Create(const VcpuConfig& config,
                                                           const PhysicalMemory& memory,
                                                           CodeExchange& exchange,
                                                           size_t code_bytes) {
  auto cache = TranslationCache::Create(code_bytes, exchange);
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
  cpu->jump_slot_mask = kJumpCacheEntries - 1;
  ResetTlb(*cpu);
  return std::unique_ptr<SoftVcpu>(new SoftVcpu(std::move(cpu), exchange, *std::move(cache)));
}

SoftVcpu::SoftVcpu(CpuMemory cpu, CodeExchange& exchange, std::unique_ptr<TranslationCache> cache)
    : cpu_(std::move(cpu)),
      exchange_(exchange),
      peer_(exchange.Join(*cpu_)),
      cache_(std::move(cache)),
      dispatcher_(*cpu_, *cache_) {
  cpu_->peer = peer_.get();
}

SoftVcpu::~SoftVcpu() {
  cache_->Flush(*cpu_);  // holds no code any more
  exchange_.Leave(peer_);
}

Exit SoftVcpu::Run() {
  if (shut_down_) return {.reason = ExitReason::kShutdown};
  if (cpu_->write_cursor < cpu_->write_count) return NextWrite();
  BindThread({.cpu = cpu_.get(),
              .code_begin = cache_->code_begin(),
              .code_end = cache_->code_end(),
              .leave = cache_->trampolines().leave});
  cpu_->halted = false;
  const InsideGuest inside(*peer_);
  for (;;) {
    const Need need = dispatcher_.Run();
    SpillVectorState();
    if (!Satisfy(need)) break;
  }
  if (cpu_->write_cursor < cpu_->write_count) return NextWrite();
  return cpu_->exit;
}

// False: cpu_->exit leaves.
bool SoftVcpu::Satisfy(Need need) {
  switch (need) {
    case Need::kExit: return false;
    case Need::kTranslate: Translate(); return !shut_down_;
    case Need::kLink: cache_->Link(dispatcher_.site(), dispatcher_.block()); return true;
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
  if (cache_->Translate(cpu, cpu.rip, physical, 0, mode) != nullptr) return;
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
  if (!cache_->FindRip(cpu.fault_pc, cpu.rip)) {
    cpu.exit = {.reason = ExitReason::kUnsupported, .address = cpu.fault_pc};
    return false;
  }
  const Vector vector = VectorOfSignal(cpu.fault_signal, cpu.fault_trap);
  if (vector == Vector::kGeneralProtection) {
    RaiseWithCode(cpu, vector, 0);
  } else {
    Raise(cpu, vector);
  }
  return dispatcher_.Settle(Outcome::kException);
}

// The guest's x87, SSE and AVX state out of the host's registers, which get back what C++ expects.
void SoftVcpu::SpillVectorState() {
  if (!cpu_->vector_live) return;
  asm volatile("xsave64 %0"
               : "+m"(*reinterpret_cast<char(*)[HV_XSAVE_BYTES]>(cpu_->xsave))
               : "a"(kXsaveFeatures), "d"(0)
               : "memory");
  asm volatile("fninit\n\tvzeroupper\n\tldmxcsr %0" : : "m"(kHostMxcsr));
  cpu_->vector_live = false;
}

Exit SoftVcpu::NextWrite() {
  Cpu& cpu = *cpu_;
  const PendingAccess write = cpu.writes[cpu.write_cursor++];
  if (cpu.write_cursor == cpu.write_count) cpu.write_cursor = cpu.write_count = 0;
  cpu.exit = {
      .reason = write.space == HV_SPACE_PORT ? ExitReason::kPortWrite : ExitReason::kMmioWrite,
      .width = write.width,
      .address = write.address,
      .data = write.value};
  return cpu.exit;
}

void SoftVcpu::CompleteRead(uint64_t value) {
  Cpu& cpu = *cpu_;
  if (cpu.exit.reason == ExitReason::kMsrRead) {
    cpu.gpr[HV_RAX] = value & 0xffffffffu;
    cpu.gpr[HV_RDX] = value >> 32;
    Retire();
    return;
  }
  if (cpu.exit.reason == ExitReason::kCr8Read) {
    cpu.cr8 = value & 15;
    cpu.gpr[cpu.exit_gpr] = cpu.cr8;
    Retire();
    return;
  }
  cpu.reads[cpu.read_count++].value = value;
}

void SoftVcpu::CompleteWrite() { Retire(); }

// The instruction that left is done.
void SoftVcpu::Retire() {
  cpu_->rip = cpu_->next_rip;
  if (TrapsAreDue(*cpu_)) Deliver([](Cpu& cpu) { return DeliverTraps(cpu); });
}

void SoftVcpu::CompleteWithFault() {
  RaiseWithCode(*cpu_, Vector::kGeneralProtection, 0);
  cpu_->single_step = false;
  Deliver([](Cpu& cpu) { return DeliverException(cpu); });
}

template <typename Delivery>
void SoftVcpu::Deliver(Delivery delivery) {
  const InsideGuest inside(*peer_);
  // What is pushed may land on a page with code.
  if (dispatcher_.HasMail()) exchange_.DropTags(*peer_);
  if (delivery(*cpu_) == Outcome::kExit) shut_down_ = true;
}

// Between two instructions, with nothing of the last one outstanding.
bool SoftVcpu::Between() const {
  return cpu_->read_count == 0 && cpu_->write_count == 0 && cpu_->interrupt_shadow == 0;
}

bool SoftVcpu::CanTakeInterrupt() const { return Between() && (cpu_->rflags & kFlagIf) != 0; }

bool SoftVcpu::CanTakeNmi() const { return Between() && !cpu_->nmi_blocked; }

void SoftVcpu::InjectInterrupt(uint8_t vector) {
  Deliver([vector](Cpu& cpu) { return DeliverInterrupt(cpu, vector); });
}

void SoftVcpu::InjectNmi() {
  Deliver([](Cpu& cpu) { return DeliverNmi(cpu); });
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
