#include "vcpu_svc/message_handler.h"

#include "abi/endpoint.h"
#include "abi/message.h"
#include "abi/platform.h"
#include "abi/route_table.h"
#include "vcpu_svc/interrupt_delivery.h"
#include "vcpu_svc/msr_access.h"
#include "vcpu_svc/paravirtual_clock.h"

namespace hv::vcpu {
namespace {

using service::Message;

constexpr uint32_t kIoapic = HV_ENDPOINT(HV_ROLE_IOAPIC, 0);
constexpr uint32_t kMmu = HV_ENDPOINT(HV_ROLE_MMU, 0);
constexpr uint64_t kRegisterBytes = 16;  // from one register of the page to the next
constexpr uint64_t kValueBytes = 4;      // of which the first so many are the register

// Whether an access finds the register page: it is there in xAPIC mode alone.
bool ReachesPage(const LocalApic& apic, const hv_access& access) {
  return access.space == HV_SPACE_MMIO && apic.enabled() && !apic.x2apic() &&
         access.address - HV_LOCAL_APIC_BASE < HV_LOCAL_APIC_BYTES;
}

uint32_t RegisterOf(const hv_access& access) {
  return static_cast<uint32_t>((access.address - HV_LOCAL_APIC_BASE) / kRegisterBytes);
}

}  // namespace

bool MessageHandler::Handle(const Message& message) {
  switch (message.kind) {
    case HV_KIND_READ: return Read(message);
    case HV_KIND_WRITE:
    case HV_KIND_WRITE_POSTED: return Write(message);
    case HV_KIND_MSR_READ: return MsrRead(message);
    case HV_KIND_MSR_WRITE: return MsrWrite(message);
    case HV_KIND_CR8_WRITE: return Cr8Write(message);
    case HV_KIND_CR8_READ: return Cr8Read(message);
    case HV_KIND_INJECTED: return Injected(message);
    case HV_KIND_INTERRUPT: return Interrupt(message);
    case HV_KIND_INTR: return Intr(message);
    case HV_KIND_DEADLINE_EXPIRED: return DeadlineExpired(message);
    case HV_KIND_STORE_DONE: return StoreDone(message);
    default: return false;
  }
}

bool MessageHandler::Sender(const Message& message, uint32_t& vcpu) {
  vcpu = HV_ENDPOINT_INSTANCE(message.from);
  if (vcpu >= machine_.cpus()) return false;
  machine_.SeeTaken(vcpu);
  return true;
}

bool MessageHandler::Read(const Message& message) {
  uint32_t vcpu;
  const auto access = message.As<hv_access>();
  uint64_t value = UINT64_MAX;
  const bool known = Sender(message, vcpu);
  if (known && ReachesPage(machine_.apic(vcpu), access)) {
    const uint64_t byte = access.address % kRegisterBytes;
    const uint32_t whole = machine_.apic(vcpu).ReadPage(RegisterOf(access), machine_.now_ns());
    value = byte < kValueBytes ? whole >> (8 * byte) : 0;
    machine_.Publish(vcpu);  // the APIC's error interrupt
  }
  actions_.Send(message.from, HV_KIND_READ_DONE, message.tag, hv_access_done{.data = value});
  return known;
}

bool MessageHandler::Write(const Message& message) {
  uint32_t vcpu;
  const auto access = message.As<hv_access>();
  const bool known = Sender(message, vcpu);
  // Only aligned 32-bit writes are defined (SDM vol. 3, 11.4.1).
  if (known && ReachesPage(machine_.apic(vcpu), access) && access.width == kValueBytes &&
      access.address % kRegisterBytes == 0) {
    Effects effects;
    machine_.apic(vcpu).WritePage(RegisterOf(access), static_cast<uint32_t>(access.data),
                                  machine_.now_ns(), effects);
    Apply(vcpu, effects);
  }
  if (message.kind == HV_KIND_WRITE) {
    actions_.Send(message.from, HV_KIND_WRITE_DONE, message.tag, hv_access_done{});
  }
  return known;
}

void MessageHandler::AnswerMsr(const Message& message, bool ok, uint64_t value) {
  actions_.Send(message.from, HV_KIND_MSR_DONE, message.tag,
                hv_msr_done{.value = value, .fault = ok ? 0u : 1u});
}

bool MessageHandler::MsrRead(const Message& message) {
  uint32_t vcpu;
  const bool known = Sender(message, vcpu);
  const auto value = known ? ReadMsr(machine_, vcpu, message.As<hv_msr>().index) : std::nullopt;
  AnswerMsr(message, value.has_value(), value.value_or(0));
  return known;
}

bool MessageHandler::MsrWrite(const Message& message) {
  uint32_t vcpu;
  const bool known = Sender(message, vcpu);
  bool ok = false;
  if (known) {
    const auto msr = message.As<hv_msr>();
    Effects effects;
    ok = WriteMsr(machine_, vcpu, msr.index, msr.value, effects);
    Apply(vcpu, effects);
    if (ok && StoreClock(message, vcpu)) return true;
  }
  AnswerMsr(message, ok, 0);
  return known;
}

bool MessageHandler::StoreClock(const Message& message, uint32_t vcpu) {
  auto msr = message.As<hv_msr>();
  if (msr.index == kTscAdjustMsr) {
    // The record the guest goes by is of its TSC as it was.
    msr.index = kSystemTimeMsr;
    msr.value = ReadMsr(machine_, vcpu, kSystemTimeMsr).value_or(0);
  }
  if (msr.index != kWallClockMsr && msr.index != kSystemTimeMsr) return false;
  VcpuState& v = machine_.vcpu(vcpu);
  if (v.store_awaited != 0) return false;  // a vCPU waits for its answer before it asks again
  const MachineConfig& config = machine_.config();
  const auto store =
      ParavirtualClock(config.tsc_hz, config.realtime_base_ns, v.tsc_adjust, v.tsc_moves)
          .StoreFor(msr.index, msr.value);
  if (!store) return false;
  v.store_tag = message.tag;
  v.store_awaited = 1;
  actions_.Send(kMmu, HV_KIND_STORE, vcpu + 1, *store);  // 0 would want no answer
  return true;
}

// Refused or not, the write has retired: a guest that gives an address where no memory is has no
// clock.
bool MessageHandler::StoreDone(const Message& message) {
  const uint32_t vcpu = message.tag - 1;
  if (vcpu >= machine_.cpus()) return false;
  VcpuState& v = machine_.vcpu(vcpu);
  if (v.store_awaited == 0) return false;
  v.store_awaited = 0;
  actions_.Send(HV_ENDPOINT(HV_ROLE_KERNEL, vcpu), HV_KIND_MSR_DONE, v.store_tag, hv_msr_done{});
  return true;
}

bool MessageHandler::Cr8Write(const Message& message) {
  uint32_t vcpu;
  const bool known = Sender(message, vcpu);
  if (known) {
    // CR8 is bits 7:4 of TPR (SDM vol. 3, 11.8.6).
    machine_.apic(vcpu).SetTaskPriority(static_cast<uint32_t>(message.As<hv_msr>().value & 15)
                                        << 4);
    machine_.Publish(vcpu);
  }
  AnswerMsr(message, known, 0);
  return known;
}

bool MessageHandler::Cr8Read(const Message& message) {
  uint32_t vcpu;
  const bool known = Sender(message, vcpu);
  AnswerMsr(message, known, known ? machine_.vcpu(vcpu).apic.tpr >> 4 : 0);
  return known;
}

bool MessageHandler::Injected(const Message& message) {
  uint32_t vcpu;
  return Sender(message, vcpu);
}

bool MessageHandler::Interrupt(const Message& message) {
  const auto interrupt = message.As<hv_interrupt>();
  if (interrupt.delivery_mode > HV_DELIVERY_EXTINT) return false;  // three bits on the bus
  Send(machine_, machine_.cpus(),
       {.destination = {.id = interrupt.destination,
                        .logical = interrupt.logical != 0,
                        .from_outside = true},
        .shorthand = Shorthand::kNone,
        .vector = interrupt.vector,
        .delivery_mode = interrupt.delivery_mode,
        .level_triggered = interrupt.level != 0,
        .asserts = interrupt.level == 0 || interrupt.assert_level != 0});
  return true;
}

bool MessageHandler::Intr(const Message& message) {
  const auto intr = message.As<hv_intr>();
  if (intr.asserted > 1 || intr.vector > UINT8_MAX) return false;
  SetIntr(machine_, intr.asserted != 0, static_cast<uint8_t>(intr.vector), intr.acknowledged);
  return true;
}

bool MessageHandler::DeadlineExpired(const Message& message) {
  const auto deadline = message.As<hv_deadline>();
  if (deadline.vcpu >= machine_.cpus()) return false;
  const uint32_t vcpu = deadline.vcpu;
  machine_.SeeTaken(vcpu);
  if (deadline.generation != machine_.vcpu(vcpu).apic.timer.generation) return true;
  if (machine_.apic(vcpu).TimerExpired(machine_.now_ns())) machine_.TimerChanged(vcpu);
  machine_.Publish(vcpu);
  return true;
}

void MessageHandler::Apply(uint32_t vcpu, const Effects& effects) {
  if (effects.timer_changed) machine_.TimerChanged(vcpu);
  if (effects.end_of_level) {
    actions_.Send(kIoapic, HV_KIND_EOI, 0, hv_eoi{.vector = *effects.end_of_level});
  }
  if (effects.command) Send(machine_, vcpu, *effects.command);
  machine_.Publish(vcpu);
}

}  // namespace hv::vcpu
