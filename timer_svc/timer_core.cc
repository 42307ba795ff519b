#include "timer_svc/timer_core.h"

#include <algorithm>

#include "abi/message.h"
#include "abi/platform.h"
#include "abi/route_table.h"
#include "service/access.h"
#include "timer_svc/rate.h"

namespace hv::timer {
namespace {

using service::Actions;
using service::Message;

constexpr uint32_t kIoapic = HV_ENDPOINT(HV_ROLE_IOAPIC, 0);
constexpr uint32_t kVcpu = HV_ENDPOINT(HV_ROLE_VCPU, 0);
constexpr uint64_t kHpetHz = 1'000'000'000'000'000 / HV_HPET_PERIOD_FS;
constexpr uint32_t kPitLine = 1u << HV_GSI_PIT, kRtcLine = 1u << HV_GSI_RTC;

// An access a CPU can make to the places of this service.
bool WellFormed(const hv_access& access) {
  return service::IsPortAccess(access) ||
         service::IsMmioAccess(access, HV_HPET_BASE, HV_HPET_BYTES);
}

}  // namespace

class TimerCore::Step {
 public:
  Step(const Config& config, State& state, uint64_t now_ns, Actions& actions)
      : s_(state),
        now_ns_(now_ns),
        actions_(actions),
        pit_(state.pit),
        hpet_(state.hpet),
        rtc_(state.rtc, config.realtime_base_ns),
        deadlines_(state.deadlines, config.cpus) {}

  bool Handle(const Message& message) {
    Advance();  // interrupts that are due come before what the guest does next
    const bool known = Serve(message);
    Finish();
    return known;
  }

  void Finish() {
    Advance();
    // After all else, with the room that is left: with very many vCPUs the rest goes out with the
    // next step, which is due at once.
    deadlines_.Expire(now_ns_, actions_.free(), [&](const hv_deadline& expired) {
      actions_.Send(kVcpu, HV_KIND_DEADLINE_EXPIRED, 0, expired);
    });
    uint64_t next = std::min(rtc_.NextEvent(now_ns_), deadlines_.Next());
    if (!hpet_.legacy_routing()) {
      next = std::min(next, NsUntil(pit_.NextEvent(PitTick()), HV_PIT_HZ));
    }
    actions_.WakeAt(std::min(next, NsUntil(hpet_.NextEvent(HpetTick()), kHpetHz)));
  }

 private:
  uint64_t PitTick() const { return TicksIn(now_ns_, HV_PIT_HZ); }
  uint64_t HpetTick() const { return TicksIn(now_ns_, kHpetHz); }

  void Advance() {
    uint32_t edges = hpet_.Advance(HpetTick());
    // In legacy replacement mode the HPET has the interrupts of the 8254 and the RTC.
    if (pit_.TakeRise(PitTick()) && !hpet_.legacy_routing()) edges |= kPitLine;
    rtc_.Advance(now_ns_);
    UpdateLines();
    Pulse(edges);
  }

  void Line(uint32_t gsi, bool level) {
    actions_.Send(kIoapic, HV_KIND_LINE, 0, hv_line{.gsi = gsi, .level = level ? 1u : 0u});
  }

  // Tells the levels that are not what they were. Sources that share a GSI are one to ioapic_svc.
  void UpdateLines() {
    const uint32_t rtc = rtc_.line() && !hpet_.legacy_routing() ? kRtcLine : 0;
    const uint32_t lines = hpet_.Lines() | rtc;
    for (uint32_t gsi = 0; gsi < HV_IOAPIC_INPUTS; ++gsi) {
      if (((lines ^ s_.lines) >> gsi & 1) != 0) Line(gsi, (lines >> gsi & 1) != 0);
    }
    s_.lines = lines;
  }

  // An edge of a line that is up does not show.
  void Pulse(uint32_t gsis) {
    for (uint32_t gsi = 0; gsi < HV_IOAPIC_INPUTS; ++gsi) {
      if (((gsis & ~s_.lines) >> gsi & 1) == 0) continue;
      Line(gsi, true);
      Line(gsi, false);
    }
  }

  bool Serve(const Message& message) {
    switch (message.kind) {
      case HV_KIND_READ: return Read(message);
      case HV_KIND_WRITE: {
        const bool known = Write(message);
        actions_.Send(message.from, HV_KIND_WRITE_DONE, message.tag, hv_access_done{});
        return known;
      }
      case HV_KIND_WRITE_POSTED: return Write(message);
      case HV_KIND_DEADLINE_SET: return deadlines_.Set(message.As<hv_deadline>());
      default: return false;
    }
  }

  bool Read(const Message& message) {
    const auto access = message.As<hv_access>();
    const bool known = WellFormed(access);
    uint64_t value = UINT64_MAX;
    if (known && access.space == HV_SPACE_MMIO) {
      value = hpet_.Read(access.address - HV_HPET_BASE, access.width, HpetTick());
    } else if (known) {
      value = service::ReadBytes(
          access, [&](uint64_t port) { return ReadPort(static_cast<uint16_t>(port)); });
    }
    actions_.Send(message.from, HV_KIND_READ_DONE, message.tag, hv_access_done{.data = value});
    return known;
  }

  bool Write(const Message& message) {
    const auto access = message.As<hv_access>();
    if (!WellFormed(access)) return false;
    if (access.space == HV_SPACE_MMIO) {
      hpet_.Write(access.address - HV_HPET_BASE, access.width, access.data, HpetTick());
      return true;
    }
    service::WriteBytes(
        access, [&](uint64_t port, uint8_t byte) { WritePort(static_cast<uint16_t>(port), byte); });
    return true;
  }

  static bool IsRtc(uint16_t port) {
    return port == HV_PORT_CMOS_INDEX || port == HV_PORT_CMOS_INDEX + 1;
  }

  uint8_t ReadPort(uint16_t port) {
    if (I8254::Has(port)) return pit_.Read(port, PitTick());
    if (IsRtc(port)) return rtc_.Read(port, now_ns_);
    // The ACPI power-management timer counts 32 bits, as TMR_VAL_EXT in the FADT says
    // (ACPI, 4.8.3.3).
    if (port >= HV_PORT_PM_TIMER && port < HV_PORT_PM_TIMER + 4) {
      return static_cast<uint8_t>(TicksIn(now_ns_, HV_PM_TIMER_HZ) >>
                                  (8 * (port - HV_PORT_PM_TIMER)));
    }
    return 0xff;
  }

  void WritePort(uint16_t port, uint8_t value) {
    if (I8254::Has(port)) {
      pit_.Write(port, value, PitTick());
    } else if (IsRtc(port)) {
      rtc_.Write(port, value, now_ns_);
    }
  }

  State& s_;
  const uint64_t now_ns_;
  Actions& actions_;
  I8254 pit_;
  Hpet hpet_;
  Rtc rtc_;
  ApicDeadlines deadlines_;
};

void TimerCore::Reset(State& state, uint64_t now_ns, Actions& actions) const {
  state = {};
  I8254(state.pit).Reset();
  Hpet(state.hpet).Reset();
  Rtc(state.rtc, config_.realtime_base_ns).Reset(now_ns);
  Step(config_, state, now_ns, actions).Finish();
}

bool TimerCore::Handle(State& state, const Message& message, uint64_t now_ns,
                       Actions& actions) const {
  return Step(config_, state, now_ns, actions).Handle(message);
}

void TimerCore::Tick(State& state, uint64_t now_ns, Actions& actions) const {
  Step(config_, state, now_ns, actions).Finish();
}

}  // namespace hv::timer
