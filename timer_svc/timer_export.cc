// The state of timer_svc as Protobuf and back. What comes back is checked field by field: it may be
// of another implementation, or forged.
#include <algorithm>
#include <cstring>

#include "abi/platform.h"
#include "absl/strings/str_cat.h"
#include "proto/hv/v1/timer_state.pb.h"
#include "timer_svc/timer_core.h"

namespace hv::timer {
namespace {

using Proto = hv::v1::TimerServiceState;

constexpr uint32_t kLineMask = (1u << HV_IOAPIC_INPUTS) - 1;
constexpr uint32_t kLargestCount = 0x10000;
constexpr uint64_t kLastTick = INT64_MAX;  // past it the arithmetic would wrap

void Put(const CounterState& from, Proto::Counter& to) {
  to.set_start_tick(from.start_tick);
  to.set_held_ticks(from.held_ticks);
  to.set_served_tick(from.served_tick);
  to.set_reload(from.reload);
  to.set_next_reload(from.next_reload);
  to.set_latched(from.latched);
  to.set_mode(from.mode);
  to.set_access(from.access);
  to.set_bcd(from.bcd != 0);
  to.set_gate(from.gate != 0);
  to.set_loaded(from.loaded != 0);
  to.set_write_high_next(from.write_high_next != 0);
  to.set_write_low(from.write_low);
  to.set_read_high_next(from.read_high_next != 0);
  to.set_latch_count(from.latch_count);
  to.set_status_latched(from.status_latched != 0);
  to.set_status(from.status);
  to.set_triggered(from.triggered != 0);
  to.set_risen(from.risen != 0);
}

absl::Status Get(const Proto::Counter& from, CounterState& to) {
  if (from.reload() == 0 || from.reload() > kLargestCount || from.next_reload() > kLargestCount ||
      from.mode() > 5 || from.access() < 1 || from.access() > 3 || from.latch_count() > 2 ||
      from.served_tick() > kLastTick || from.latched() > 0xffff || from.write_low() > 0xff ||
      from.status() > 0xff) {
    return absl::InvalidArgumentError(
        absl::StrCat("counters: served_tick ", from.served_tick(), ", reload ", from.reload(), ", ",
                     from.next_reload(), ", mode ", from.mode(), ", access ", from.access(),
                     ", latched ", from.latched(), " (", from.latch_count(), "), write_low ",
                     from.write_low(), " or status ", from.status(), " is out of range"));
  }
  to.start_tick = from.start_tick();
  to.held_ticks = from.held_ticks();
  to.served_tick = from.served_tick();
  to.reload = from.reload();
  to.next_reload = from.next_reload();
  to.latched = static_cast<uint16_t>(from.latched());
  to.mode = static_cast<uint8_t>(from.mode());
  to.access = static_cast<uint8_t>(from.access());
  to.bcd = from.bcd();
  to.gate = from.gate();
  to.loaded = from.loaded();
  to.write_high_next = from.write_high_next();
  to.write_low = static_cast<uint8_t>(from.write_low());
  to.read_high_next = from.read_high_next();
  to.latch_count = static_cast<uint8_t>(from.latch_count());
  to.status_latched = from.status_latched();
  to.status = static_cast<uint8_t>(from.status());
  to.triggered = from.triggered();
  to.risen = from.risen();
  return absl::OkStatus();
}

void Put(const HpetState& from, Proto::Hpet& to) {
  to.set_config(from.config);
  to.set_status(from.status);
  to.set_counter_base(from.counter_base);
  to.set_base_tick(from.base_tick);
  to.set_served_tick(from.served_tick);
  for (int i = 0; i < kHpetTimers; ++i) {
    to.add_timer_config(from.timer_config[i]);
    to.add_comparator(from.comparator[i]);
    to.add_period(from.period[i]);
  }
}

absl::Status Get(const Proto::Hpet& from, HpetState& to) {
  if (from.timer_config_size() != kHpetTimers || from.comparator_size() != kHpetTimers ||
      from.period_size() != kHpetTimers) {
    return absl::InvalidArgumentError("hpet: timer_config, comparator and period need 3 values");
  }
  to.config = from.config();
  to.status = from.status();
  to.counter_base = from.counter_base();
  to.base_tick = from.base_tick();
  to.served_tick = from.served_tick();
  std::copy(from.timer_config().begin(), from.timer_config().end(), to.timer_config);
  std::copy(from.comparator().begin(), from.comparator().end(), to.comparator);
  std::copy(from.period().begin(), from.period().end(), to.period);
  if (!Hpet::Valid(to) || from.served_tick() > kLastTick) {
    return absl::InvalidArgumentError(
        "hpet: a bit is set that config, status or timer_config lack, or served_tick is past 2^63");
  }
  return absl::OkStatus();
}

void Put(const RtcState& from, Proto::Rtc& to) {
  to.set_offset_seconds(from.offset_seconds);
  to.set_phase_ns(from.phase_ns);
  to.set_served_ticks(from.served_ticks);
  to.set_served_second(from.served_second);
  to.set_index(from.index);
  to.set_cmos(from.cmos, sizeof(from.cmos));
}

absl::Status Get(const Proto::Rtc& from, RtcState& to) {
  const auto in_range = [](int64_t seconds) {
    return seconds >= -kLastSecond && seconds <= kLastSecond;
  };
  if (from.cmos().size() != sizeof(to.cmos) || from.index() > 0xff ||
      from.phase_ns() >= kNsPerSecond || !in_range(from.offset_seconds()) ||
      !in_range(from.served_second())) {
    return absl::InvalidArgumentError(
        absl::StrCat("rtc: ", from.cmos().size(), " bytes of cmos (need 128), index ", from.index(),
                     ", phase_ns ", from.phase_ns(), ", offset_seconds ", from.offset_seconds(),
                     " or served_second ", from.served_second(), " is out of range"));
  }
  to.offset_seconds = from.offset_seconds();
  to.phase_ns = from.phase_ns();
  to.served_ticks = from.served_ticks();
  to.served_second = from.served_second();
  to.index = static_cast<uint8_t>(from.index());
  std::memcpy(to.cmos, from.cmos().data(), sizeof(to.cmos));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> TimerCore::Export(const State& state) const {
  Proto out;
  for (const CounterState& counter : state.pit.counter) Put(counter, *out.add_counters());
  out.set_speaker(state.pit.speaker);
  Put(state.hpet, *out.mutable_hpet());
  Put(state.rtc, *out.mutable_rtc());
  out.set_lines(state.lines);
  for (uint32_t i = 0; i < config_.cpus; ++i) {
    Proto::Deadline& deadline = *out.add_deadlines();
    deadline.set_time_ns(state.deadlines[i].time_ns);
    deadline.set_generation(state.deadlines[i].generation);
  }
  return out.SerializeAsString();
}

absl::Status TimerCore::Import(State& state, absl::string_view bytes) const {
  Proto in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("state: not an hv.v1.TimerServiceState");
  }
  if (in.counters_size() != 3 || in.deadlines_size() != static_cast<int>(config_.cpus)) {
    return absl::InvalidArgumentError(absl::StrCat("counters, deadlines: ", in.counters_size(),
                                                   ", ", in.deadlines_size(), "; need 3, ",
                                                   config_.cpus));
  }
  if (in.speaker() > 3 || (in.lines() & ~kLineMask) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("speaker ", in.speaker(), " or lines 0x",
                                                   absl::Hex(in.lines()), " is out of range"));
  }
  State next{};
  for (int i = 0; i < 3; ++i) {
    if (auto status = Get(in.counters(i), next.pit.counter[i]); !status.ok()) return status;
  }
  next.pit.speaker = static_cast<uint8_t>(in.speaker());
  if (auto status = Get(in.hpet(), next.hpet); !status.ok()) return status;
  if (auto status = Get(in.rtc(), next.rtc); !status.ok()) return status;
  next.lines = in.lines();
  for (uint32_t i = 0; i < config_.cpus; ++i) {
    const Proto::Deadline& deadline = in.deadlines(static_cast<int>(i));
    next.deadlines[i] = {.time_ns = deadline.time_ns(), .generation = deadline.generation()};
  }
  state = next;
  return absl::OkStatus();
}

}  // namespace hv::timer
