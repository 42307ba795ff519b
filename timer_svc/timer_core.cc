#include "timer_svc/timer_core.h"

#include <algorithm>

#include "abi/message.h"
#include "abi/platform.h"
#include "abi/route_table.h"
#include "timer_svc/rate.h"

namespace hv::timer {
namespace {

using service::Actions;
using service::Message;

constexpr uint32_t kIoapic = HV_ENDPOINT(HV_ROLE_IOAPIC, 0);
constexpr uint32_t kVcpu = HV_ENDPOINT(HV_ROLE_VCPU, 0);
constexpr uint64_t kHpetHz = 1'000'000'000'000'000 / HV_HPET_PERIOD_FS;

uint64_t PitTick(uint64_t now_ns) { return TicksIn(now_ns, HV_PIT_HZ); }
uint64_t HpetTick(uint64_t now_ns) { return TicksIn(now_ns, kHpetHz); }

// Messages a step may need beside deadlines: lines of all chips and an answer.
constexpr size_t kKeptFree = 24;

// Machine time of a tick; UINT64_MAX stays what it is.
uint64_t AtTick(uint64_t tick, uint64_t hz) { return tick == UINT64_MAX ? tick : NsUntil(tick, hz); }

}  // namespace

class TimerCore::Step {
 public:
  Step(const Config& config, State& state, uint64_t now_ns, Actions& actions)
      : config_(config), s_(state), now_ns_(now_ns), actions_(actions) {}

  bool Handle(const Message& message) {
    // Interrupts that are due come before what the guest does next.
    Advance();
    bool known = true;
    switch (message.kind) {
      case HV_KIND_READ: Read(message); break;
      case HV_KIND_WRITE: Write(message); break;
      case HV_KIND_DEADLINE_SET: known = SetDeadline(message.As<hv_deadline>()); break;
      default: known = false;
    }
    Advance();
    Schedule();
    return known;
  }

  void Advance() {
    AdvancePit();
    AdvanceHpet();
    Rtc rtc = TheRtc();
    rtc.Advance(now_ns_);
    UpdateRtcLine();
    for (uint32_t i = 0; i < config_.cpus; ++i) ExpireDeadline(i);
  }

  void Schedule() {
    uint64_t next = TheRtc().NextEvent(now_ns_);
    if (!Hpet(s_.hpet).legacy_routing()) {
      next = std::min(next, AtTick(I8254(s_.pit).NextRise(s_.pit.counter[0].served_tick), HV_PIT_HZ));
    }
    next = std::min(next, AtTick(Hpet(s_.hpet).NextMatch(HpetTick(now_ns_)), kHpetHz));
    for (uint32_t i = 0; i < config_.cpus; ++i) {
      if (s_.deadlines[i].time_ns != 0) next = std::min(next, s_.deadlines[i].time_ns);
    }
    actions_.WakeAt(next);
  }

 private:
  Rtc TheRtc() { return Rtc(s_.rtc, config_.realtime_base_ns); }

  void Line(uint32_t gsi, bool level) {
    actions_.Send(kIoapic, HV_KIND_LINE, 0, hv_line{.gsi = gsi, .level = level ? 1u : 0u});
  }
  void Pulse(uint32_t gsi) {
    Line(gsi, true);
    Line(gsi, false);
  }

  // However many periods a late host has missed, the guest sees one edge: two would be merged in the
  // interrupt controller anyway, and a burst later would make time run fast.
  void AdvancePit() {
    const uint64_t rises = I8254(s_.pit).TakeRises(PitTick(now_ns_));
    if (rises != 0 && !Hpet(s_.hpet).legacy_routing()) Pulse(HV_GSI_PIT);
  }

  void AdvanceHpet() {
    LineChange changes[Hpet::kMaxChanges];
    int count = 0;
    Hpet(s_.hpet).Advance(HpetTick(now_ns_), changes, count);
    Apply(changes, count);
  }

  void Apply(const LineChange* changes, int count) {
    for (int i = 0; i < count; ++i) {
      if (changes[i].pulse) {
        Pulse(changes[i].gsi);
      } else {
        Line(changes[i].gsi, changes[i].level);
      }
    }
  }

  void UpdateRtcLine() {
    // In legacy replacement mode the HPET has the RTC's interrupt.
    const uint32_t level = TheRtc().line() && !Hpet(s_.hpet).legacy_routing() ? 1 : 0;
    if (level == s_.rtc_line) return;
    s_.rtc_line = level;
    Line(HV_GSI_RTC, level != 0);
  }

  bool SetDeadline(const hv_deadline& deadline) {
    if (deadline.vcpu >= config_.cpus) return false;
    s_.deadlines[deadline.vcpu] = {.time_ns = deadline.time_ns, .generation = deadline.generation};
    return true;
  }

  void ExpireDeadline(uint32_t vcpu) {
    DeadlineState& deadline = s_.deadlines[vcpu];
    if (deadline.time_ns == 0 || deadline.time_ns > now_ns_) return;
    // With very many vCPUs the rest goes out with the next step, which is due at once.
    if (actions_.free() < kKeptFree) return;
    actions_.Send(kVcpu, HV_KIND_DEADLINE_EXPIRED, 0,
                  hv_deadline{.time_ns = deadline.time_ns, .vcpu = vcpu,
                              .generation = deadline.generation});
    deadline.time_ns = 0;
  }

  uint64_t ReadPort(uint16_t port) {
    if ((port >= HV_PORT_PIT && port < HV_PORT_PIT + 4) || port == HV_PORT_SPEAKER) {
      return I8254(s_.pit).Read(port, PitTick(now_ns_));
    }
    if (port == HV_PORT_CMOS_INDEX || port == HV_PORT_CMOS_INDEX + 1) {
      const uint8_t value = TheRtc().Read(port, now_ns_);
      UpdateRtcLine();
      return value;
    }
    return 0xff;
  }

  void Read(const Message& message) {
    const auto access = message.As<hv_access>();
    uint64_t value = 0;
    const uint64_t into_pm_timer = access.address - HV_PORT_PM_TIMER;
    if (access.space == HV_SPACE_MMIO) {
      const uint64_t offset = access.address - HV_HPET_BASE;
      value = Hpet(s_.hpet).Read(offset & ~3ull, access.width, HpetTick(now_ns_)) >>
              (8 * (offset & 3));
    } else if (into_pm_timer < 4) {
      value = (TicksIn(now_ns_, HV_PM_TIMER_HZ) & 0xffffffffu) >> (8 * into_pm_timer);
    } else {
      for (uint32_t i = 0; i < access.width && i < 8; ++i) {
        value |= ReadPort(static_cast<uint16_t>(access.address + i)) << (8 * i);
      }
    }
    actions_.Send(message.from, HV_KIND_READ_DONE, message.tag, hv_access_done{.data = value});
  }

  void Write(const Message& message) {
    const auto access = message.As<hv_access>();
    if (access.space == HV_SPACE_MMIO) {
      LineChange changes[Hpet::kMaxChanges];
      int count = 0;
      if (access.width >= 4) {
        Hpet(s_.hpet).Write(access.address - HV_HPET_BASE, access.width, access.data,
                            HpetTick(now_ns_), changes, count);
      }
      Apply(changes, count);
    } else {
      for (uint32_t i = 0; i < access.width && i < 8; ++i) {
        WritePort(static_cast<uint16_t>(access.address + i),
                  static_cast<uint8_t>(access.data >> (8 * i)));
      }
    }
    actions_.Send(message.from, HV_KIND_WRITE_DONE, message.tag, hv_access_done{});
  }

  void WritePort(uint16_t port, uint8_t value) {
    if ((port >= HV_PORT_PIT && port < HV_PORT_PIT + 4) || port == HV_PORT_SPEAKER) {
      I8254(s_.pit).Write(port, value, PitTick(now_ns_));
    } else if (port == HV_PORT_CMOS_INDEX || port == HV_PORT_CMOS_INDEX + 1) {
      TheRtc().Write(port, value, now_ns_);
      UpdateRtcLine();
    }
  }

  const Config& config_;
  State& s_;
  const uint64_t now_ns_;
  Actions& actions_;
};

void TimerCore::Reset(State& state, uint64_t now_ns, Actions& actions) const {
  I8254(state.pit).Reset();
  Hpet(state.hpet).Reset();
  Rtc(state.rtc, config_.realtime_base_ns).Reset(now_ns);
  Step(config_, state, now_ns, actions).Schedule();
}

bool TimerCore::Handle(State& state, const Message& message, uint64_t now_ns,
                       Actions& actions) const {
  return Step(config_, state, now_ns, actions).Handle(message);
}

void TimerCore::Tick(State& state, uint64_t now_ns, Actions& actions) const {
  Step step(config_, state, now_ns, actions);
  step.Advance();
  step.Schedule();
}

}  // namespace hv::timer
