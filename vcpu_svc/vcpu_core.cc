#include "vcpu_svc/vcpu_core.h"

#include <atomic>
#include <cstring>

#include "abi/message.h"
#include "abi/platform.h"
#include "abi/route_table.h"

namespace hv::vcpu {
namespace {

using service::Actions;
using service::Message;

constexpr uint32_t kIoapic = HV_ENDPOINT(HV_ROLE_IOAPIC, 0);
constexpr uint32_t kTimer = HV_ENDPOINT(HV_ROLE_TIMER, 0);
constexpr uint32_t kApicBaseMsr = 0x1b, kTscDeadlineMsr = 0x6e0;
constexpr uint32_t kX2apicFirst = 0x800, kX2apicLast = 0x8ff;
constexpr uint32_t kTprRegister = 0x08;

uint32_t Generation(uint64_t word) {
  return static_cast<uint32_t>(word >> HV_PENDING_GENERATION_SHIFT);
}
uint64_t EventsOf(uint64_t word) {
  return word & (HV_PENDING_EVENTS | HV_PENDING_EXTINT | HV_PENDING_VECTOR_MASK);
}

}  // namespace

// One message, applied to the state.
class VcpuCore::Step {
 public:
  Step(const Config& config, MachineState& machine, uint64_t now_ns, Actions& actions)
      : config_(config), m_(machine), now_ns_(now_ns), actions_(actions) {}

  bool Handle(const Message& message) {
    switch (message.kind) {
      case HV_KIND_READ: return Read(message);
      case HV_KIND_WRITE: return Write(message, true);
      case HV_KIND_WRITE_POSTED: return Write(message, false);
      case HV_KIND_MSR_READ: return MsrRead(message);
      case HV_KIND_MSR_WRITE: return MsrWrite(message);
      case HV_KIND_CR8_WRITE: return Cr8Write(message);
      case HV_KIND_INJECTED: return Injected(message);
      case HV_KIND_INTERRUPT: return Interrupt(message.As<hv_interrupt>());
      case HV_KIND_INTR: return Intr(message.As<hv_intr>());
      case HV_KIND_DEADLINE_EXPIRED: return Expired(message.As<hv_deadline>());
      default: return false;
    }
  }

  // Publishes for `vcpu` what it should take next, if that has changed.
  void Publish(uint32_t vcpu) {
    VcpuState& v = m_.vcpu[vcpu];
    const uint64_t events = NextEvents(vcpu);
    const uint32_t generation = Generation(v.published);
    const bool taken = v.taken_generation == generation;
    if (taken ? events == 0 : events == EventsOf(v.published)) return;
    v.published = uint64_t{generation + 1} << HV_PENDING_GENERATION_SHIFT | events;
  }

 private:
  LocalApic Apic(uint32_t vcpu) { return LocalApic(m_.vcpu[vcpu].apic); }

  uint64_t NextEvents(uint32_t vcpu) {
    const VcpuState& v = m_.vcpu[vcpu];
    if (v.init_pending != 0) return HV_PENDING_INIT;
    if (v.sipi_pending != 0) return HV_PENDING_SIPI | v.sipi_vector;
    if (v.waits_for_sipi != 0) return 0;
    uint64_t events = v.nmi_pending != 0 ? HV_PENDING_NMI : 0;
    if (const int vector = Apic(vcpu).Deliverable(); vector >= 0) {
      return events | HV_PENDING_INTERRUPT | static_cast<uint64_t>(vector);
    }
    if (m_.intr_asserted != 0 && AcceptsExtInt(vcpu)) {
      events |= HV_PENDING_INTERRUPT | HV_PENDING_EXTINT | (m_.intr_vector & 0xff);
    }
    return events;
  }

  // Virtual wire: through LINT0 of an APIC in ExtINT mode, or past a disabled one, to the boot CPU.
  bool AcceptsExtInt(uint32_t vcpu) {
    LocalApic apic = Apic(vcpu);
    if (!apic.enabled()) return vcpu == 0;
    return apic.LintMode(Lvt::kLint0) == HV_DELIVERY_EXTINT;
  }

  // --- Accesses of a vCPU to its own APIC.
  bool Sender(const Message& message, uint32_t& vcpu) {
    vcpu = HV_ENDPOINT_INSTANCE(message.from);
    if (vcpu >= config_.cpus) return false;
    SeeTaken(vcpu);
    return true;
  }

  bool Read(const Message& message) {
    uint32_t vcpu;
    const auto access = message.As<hv_access>();
    uint32_t value = 0xffffffff;
    const bool known = Sender(message, vcpu);
    if (known && IsMmio(vcpu, access)) {
      value = 0;
      Apic(vcpu).Read(RegisterOf(access), now_ns_, config_.tsc_hz, value);
      value >>= 8 * (access.address & 3);
    }
    actions_.Send(message.from, HV_KIND_READ_DONE, message.tag, hv_access_done{.data = value});
    return known;
  }

  bool Write(const Message& message, bool answer) {
    uint32_t vcpu;
    const auto access = message.As<hv_access>();
    const bool known = Sender(message, vcpu);
    // Only aligned 32-bit writes are defined (SDM vol. 3, 11.4.1).
    if (known && IsMmio(vcpu, access) && access.width == 4 && (access.address & 15) == 0) {
      Effects effects;
      Apic(vcpu).Write(RegisterOf(access), static_cast<uint32_t>(access.data), now_ns_, effects);
      Apply(vcpu, effects);
    }
    if (answer) {
      actions_.Send(message.from, HV_KIND_WRITE_DONE, message.tag, hv_access_done{});
    }
    return known;
  }

  bool IsMmio(uint32_t vcpu, const hv_access& access) {
    LocalApic apic = Apic(vcpu);
    return access.space == HV_SPACE_MMIO && apic.enabled() && !apic.x2apic() &&
           access.address - HV_LOCAL_APIC_BASE < HV_LOCAL_APIC_BYTES;
  }
  static uint32_t RegisterOf(const hv_access& access) {
    return static_cast<uint32_t>(access.address - HV_LOCAL_APIC_BASE) >> 4;
  }

  void Apply(uint32_t vcpu, const Effects& effects) {
    if (effects.timer_changed) SetDeadline(vcpu);
    if (effects.end_of_level) {
      actions_.Send(kIoapic, HV_KIND_EOI, 0, hv_eoi{.vector = *effects.end_of_level});
    }
    if (effects.command) Route(vcpu, *effects.command);
    Publish(vcpu);
  }

  void SetDeadline(uint32_t vcpu) {
    LocalApicState& apic = m_.vcpu[vcpu].apic;
    ++apic.timer_generation;
    const uint64_t deadline = Apic(vcpu).TimerDeadline(config_.tsc_hz);
    // In the protocol 0 disarms; a deadline that has passed is due at once.
    const uint64_t time_ns = deadline == UINT64_MAX ? 0 : deadline == 0 ? 1 : deadline;
    actions_.Send(kTimer, HV_KIND_DEADLINE_SET, 0,
                  hv_deadline{.time_ns = time_ns, .vcpu = vcpu,
                              .generation = apic.timer_generation});
  }

  // --- MSRs.
  void AnswerMsr(const Message& message, bool ok, uint64_t value = 0) {
    actions_.Send(message.from, HV_KIND_MSR_DONE, message.tag,
                  hv_msr_done{.value = ok ? value : 0, .fault = ok ? 0u : 1u});
  }

  bool MsrRead(const Message& message) {
    uint32_t vcpu;
    if (!Sender(message, vcpu)) return false;
    const uint32_t index = message.As<hv_msr>().index;
    const VcpuState& v = m_.vcpu[vcpu];
    uint64_t value = 0;
    bool ok = true;
    const MsrRow* row;
    int slot;
    if (index == kApicBaseMsr) {
      value = v.apic.base;
    } else if (index == kTscDeadlineMsr) {
      value = Apic(vcpu).tsc_deadline_mode() ? v.apic.tsc_deadline : 0;
    } else if (index >= kX2apicFirst && index <= kX2apicLast) {
      ok = Apic(vcpu).ReadMsr(index - kX2apicFirst, now_ns_, config_.tsc_hz, value);
    } else if (FindMsr(index, config_.intel, row, slot)) {
      value = slot >= 0 ? v.msr[slot] : row->reset;
    } else {
      ok = false;
    }
    AnswerMsr(message, ok, value);
    return true;
  }

  bool MsrWrite(const Message& message) {
    uint32_t vcpu;
    if (!Sender(message, vcpu)) return false;
    const auto msr = message.As<hv_msr>();
    AnswerMsr(message, WriteMsr(vcpu, msr.index, msr.value));
    return true;
  }

  bool WriteMsr(uint32_t vcpu, uint32_t index, uint64_t value) {
    if (index == kApicBaseMsr) {
      const bool ok = Apic(vcpu).WriteBase(value);
      Publish(vcpu);
      return ok;
    }
    if (index == kTscDeadlineMsr) {
      if (!Apic(vcpu).tsc_deadline_mode()) return true;
      Apic(vcpu).SetTscDeadline(value);
      SetDeadline(vcpu);
      return true;
    }
    if (index >= kX2apicFirst && index <= kX2apicLast) {
      Effects effects;
      const bool ok = Apic(vcpu).WriteMsr(index - kX2apicFirst, value, now_ns_, effects);
      Apply(vcpu, effects);
      return ok;
    }
    const MsrRow* row;
    int slot;
    if (!FindMsr(index, config_.intel, row, slot)) return false;
    switch (row->rule) {
      case WriteRule::kReadOnly: return false;
      case WriteRule::kIgnore: return true;
      case WriteRule::kMasked:
        if ((value & ~row->writable) != 0) return false;
        if (slot >= 0) m_.vcpu[vcpu].msr[slot] = value;
        return true;
    }
    return false;
  }

  bool Cr8Write(const Message& message) {
    uint32_t vcpu;
    if (!Sender(message, vcpu)) return false;
    Effects effects;
    Apic(vcpu).Write(kTprRegister, static_cast<uint32_t>(message.As<hv_msr>().value & 15) << 4,
                     now_ns_, effects);
    AnswerMsr(message, true);
    Publish(vcpu);
    return true;
  }

  // --- Delivery.
  bool Injected(const Message& message) {
    uint32_t vcpu;
    return Sender(message, vcpu);
  }

  // Learns what the vCPU took last. Comes before anything is delivered to it; see abi/vcpu_page.h.
  void SeeTaken(uint32_t vcpu) {
    if (vcpu >= config_.pages.size()) return;
    VcpuState& v = m_.vcpu[vcpu];
    // Pairs with the release store in hv_kernel's injector.
    const uint64_t taken =
        std::atomic_ref<uint64_t>(config_.pages[vcpu]->taken).load(std::memory_order_acquire);
    if (Generation(taken) == v.taken_generation) return;
    v.taken_generation = Generation(taken);
    const auto vector = static_cast<uint8_t>(taken & HV_PENDING_VECTOR_MASK);
    if ((taken & HV_PENDING_INIT) != 0) {
      v.init_pending = 0;
    } else if ((taken & HV_PENDING_SIPI) != 0) {
      v.sipi_pending = 0;
      v.waits_for_sipi = 0;
    } else if ((taken & HV_PENDING_NMI) != 0) {
      v.nmi_pending = 0;
    } else if ((taken & HV_PENDING_EXTINT) != 0) {
      m_.intr_asserted = 0;  // until ioapic_svc says otherwise
      actions_.Send(kIoapic, HV_KIND_INTA, 0, hv_intr{.asserted = 0, .vector = vector});
    } else {
      Apic(vcpu).Acknowledge(vector);
    }
    Publish(vcpu);
  }

  bool Interrupt(const hv_interrupt& interrupt) {
    Route(config_.cpus, {.destination = interrupt.destination,
                         .vector = interrupt.vector,
                         .delivery_mode = interrupt.delivery_mode,
                         .shorthand = 0,
                         .logical = interrupt.logical != 0,
                         .level_assert = interrupt.assert_level != 0,
                         .level_trigger = interrupt.level != 0});
    return true;
  }

  bool Intr(const hv_intr& intr) {
    for (uint32_t vcpu = 0; vcpu < config_.cpus; ++vcpu) SeeTaken(vcpu);
    m_.intr_asserted = intr.asserted != 0;
    m_.intr_vector = intr.vector & 0xff;
    for (uint32_t vcpu = 0; vcpu < config_.cpus; ++vcpu) Publish(vcpu);
    return true;
  }

  bool Expired(const hv_deadline& deadline) {
    if (deadline.vcpu >= config_.cpus) return false;
    SeeTaken(deadline.vcpu);
    LocalApicState& apic = m_.vcpu[deadline.vcpu].apic;
    if (deadline.generation != apic.timer_generation) return true;  // disarmed meanwhile
    if (Apic(deadline.vcpu).TimerExpired(config_.tsc_hz, now_ns_)) SetDeadline(deadline.vcpu);
    Publish(deadline.vcpu);
    return true;
  }

  // `from` is config_.cpus for messages from outside.
  void Route(uint32_t from, const Command& command) {
    if (command.delivery_mode == HV_DELIVERY_LOWEST_PRIORITY && command.shorthand == 0) {
      DeliverToOne(command);
      return;
    }
    if (command.shorthand == 1) {
      Deliver(from, command);
      return;
    }
    // A physical destination names one APIC, and ids are vCPU numbers.
    const bool unicast = command.shorthand == 0 && !command.logical;
    if (unicast && command.destination < config_.cpus && command.destination != 0xff) {
      if (Apic(command.destination).Matches(command.destination, false)) {
        Deliver(command.destination, command);
      }
      return;
    }
    for (uint32_t vcpu = 0; vcpu < config_.cpus; ++vcpu) {
      const bool meant = command.shorthand == 2   ? true
                         : command.shorthand == 3 ? vcpu != from
                                                  : Apic(vcpu).Matches(command.destination,
                                                                       command.logical);
      if (meant) Deliver(vcpu, command);
    }
  }

  // Lowest priority: among the CPUs meant the one with the lowest processor priority, in turn.
  void DeliverToOne(const Command& command) {
    uint32_t best = config_.cpus;
    for (uint32_t i = 0; i < config_.cpus; ++i) {
      const uint32_t vcpu = (m_.round_robin + i) % config_.cpus;
      LocalApic apic = Apic(vcpu);
      if (!apic.software_enabled() || !apic.Matches(command.destination, command.logical)) continue;
      if (best == config_.cpus ||
          apic.ProcessorPriority() < Apic(best).ProcessorPriority()) {
        best = vcpu;
      }
    }
    if (best == config_.cpus) return;
    m_.round_robin = (best + 1) % config_.cpus;
    Deliver(best, command);
  }

  void Deliver(uint32_t vcpu, const Command& command) {
    SeeTaken(vcpu);
    VcpuState& v = m_.vcpu[vcpu];
    switch (command.delivery_mode) {
      case HV_DELIVERY_FIXED:
      case HV_DELIVERY_LOWEST_PRIORITY:
        Apic(vcpu).Accept(command.vector, command.level_trigger);
        break;
      case HV_DELIVERY_NMI:
        v.nmi_pending = 1;
        break;
      case HV_DELIVERY_INIT:
        if (command.level_trigger && !command.level_assert) return;  // INIT level de-assert
        Apic(vcpu).Init();
        v.init_pending = 1;
        v.sipi_pending = v.nmi_pending = 0;
        v.waits_for_sipi = vcpu != 0;
        SetDeadline(vcpu);
        break;
      case HV_DELIVERY_STARTUP:
        if (v.waits_for_sipi == 0) return;
        v.sipi_pending = 1;
        v.sipi_vector = command.vector;
        break;
      case HV_DELIVERY_SMI:
        ++m_.ignored_smis;  // there is no system-management mode
        return;
      default:
        return;  // ExtINT comes by HV_KIND_INTR
    }
    Publish(vcpu);
  }

  const Config& config_;
  MachineState& m_;
  const uint64_t now_ns_;
  Actions& actions_;
};

VcpuCore::VcpuCore(Config config) : config_(std::move(config)) {}

size_t VcpuCore::state_bytes() const {
  return sizeof(MachineState) + config_.cpus * sizeof(VcpuState);
}

void VcpuCore::Reset(void* state, uint64_t, service::Actions&) const {
  auto& machine = *static_cast<MachineState*>(state);
  for (uint32_t i = 0; i < config_.cpus; ++i) {
    VcpuState& v = machine.vcpu[i];
    LocalApic(v.apic).Reset(i, i == 0);
    v.waits_for_sipi = i != 0;
    for (const MsrRow& row : MsrTable()) {
      for (uint32_t n = 0; n < row.count; ++n) {
        const MsrRow* found;
        int slot;
        if (FindMsr(row.index + n, config_.intel, found, slot) && slot >= 0) {
          v.msr[slot] = found->reset;
        }
      }
    }
  }
}

bool VcpuCore::Handle(void* state, const Message& message, uint64_t now_ns,
                      Actions& actions) const {
  return Step(config_, *static_cast<MachineState*>(state), now_ns, actions).Handle(message);
}

void VcpuCore::Tick(void*, uint64_t, Actions&) const {}

void VcpuCore::Project(const void* state) {
  const auto& machine = *static_cast<const MachineState*>(state);
  for (uint32_t i = 0; i < config_.pages.size(); ++i) {
    hv_vcpu_page& page = *config_.pages[i];
    const VcpuState& v = machine.vcpu[i];
    std::atomic_ref<uint32_t>(page.tpr).store(v.apic.tpr, std::memory_order_relaxed);
    std::atomic_ref<uint64_t> pending(page.pending);
    std::atomic_ref<uint32_t> acknowledged(page.acknowledged);
    if (pending.load(std::memory_order_relaxed) == v.published &&
        acknowledged.load(std::memory_order_relaxed) == v.taken_generation) {
      continue;
    }
    acknowledged.store(v.taken_generation, std::memory_order_relaxed);  // ordered by the next store
    // Pairs with the acquire load in hv_kernel's injector.
    pending.store(v.published, std::memory_order_release);
    // Pairs with the exchange in hv_kernel's run loop.
    std::atomic_ref<uint32_t>(page.attention).store(1, std::memory_order_release);
    config_.wake(i);
  }
}

uint64_t VcpuCore::Published(const void* state, uint32_t vcpu) {
  return static_cast<const MachineState*>(state)->vcpu[vcpu].published;
}

}  // namespace hv::vcpu
