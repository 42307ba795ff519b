// The part of a vCPU on the path of an exit: in and out of the guest with its extended state left
// in the host's registers (the contract is VcpuEngine's). What needs other code spills it first.
#include "hv_kernel/soft/memory/linear_access.h"
#include "hv_kernel/soft/soft_vcpu.h"
#include "hv_kernel/soft/system/device_moves.h"
#include "hv_kernel/soft/system/events.h"

namespace hv::soft {
namespace {

constexpr uint64_t kXsaveFeatures = 7;  // x87, SSE, AVX
constexpr uint32_t kHostMxcsr = 0x1f80;

}  // namespace

Exit SoftVcpu::Run() {
  const Exit exit = RunHolding();
  ReleaseRegisters();
  return exit;
}

Exit SoftVcpu::RunHolding() {
  if (shut_down_) return {.reason = ExitReason::kShutdown};
  if (cpu_->write_cursor < cpu_->write_count) return NextWrite();
  if (!IsBound(fault_context_)) {
    ReleaseRegisters();
    BindThread(fault_context_);
  }
  cpu_->halted = false;
  const InsideGuest inside(*peer_);
  for (;;) {
    const Need need = dispatcher_.Run();
    if (need == Need::kExit) break;
    ReleaseRegisters();
    if (!Satisfy(need)) break;
  }
  if (cpu_->write_cursor < cpu_->write_count) return NextWrite();
  return cpu_->exit;
}

void SoftVcpu::ReleaseRegisters() {
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
  const PendingAccess& write = cpu.writes[cpu.write_cursor++];
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
  if (cpu.load.pending) {
    FinishLoad(cpu, value);
    Retire();
    return;
  }
  cpu.reads[cpu.read_count++].value = value;
}

void SoftVcpu::CompleteWrite() { Retire(); }

// The instruction that left is done.
void SoftVcpu::Retire() {
  RetireDeviceReads(*cpu_);
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
  if (dispatcher_.HasMail()) {
    ReleaseRegisters();
    exchange_.DropTags(*peer_);
  }
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

}  // namespace hv::soft
