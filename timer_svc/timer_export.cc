// The state of timer_svc as Protobuf and back.
#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "proto/hv/v1/timer_state.pb.h"
#include "timer_svc/timer_core.h"

namespace hv::timer {
namespace {

using Proto = hv::v1::TimerServiceState;

void Put(const CounterState& from, Proto::Counter& to) {
  to.set_start_tick(from.start_tick);
  to.set_served_tick(from.served_tick);
  to.set_reload(from.reload);
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
}

absl::Status Get(const Proto::Counter& from, CounterState& to) {
  if (from.reload() == 0 || from.reload() > 0x10000 || from.mode() > 5 || from.access() < 1 ||
      from.access() > 3 || from.latch_count() > 2) {
    return absl::InvalidArgumentError(absl::StrCat("counters: reload ", from.reload(), ", mode ",
                                                   from.mode(), ", access ", from.access(),
                                                   " are out of range"));
  }
  to.start_tick = from.start_tick();
  to.served_tick = std::max(from.served_tick(), from.start_tick());
  to.reload = from.reload();
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
  return absl::OkStatus();
}

void Put(const HpetState& from, Proto::Hpet& to) {
  to.set_config(from.config);
  to.set_status(from.status);
  to.set_counter_base(from.counter_base);
  to.set_base_tick(from.base_tick);
  for (int i = 0; i < kHpetTimers; ++i) {
    to.add_timer_config(from.timer_config[i]);
    to.add_comparator(from.comparator[i]);
    to.add_period(from.period[i]);
  }
  to.set_served_tick(from.served_tick);
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
  for (int i = 0; i < kHpetTimers; ++i) {
    to.timer_config[i] = from.timer_config(i);
    to.comparator[i] = from.comparator(i);
    to.period[i] = from.period(i);
  }
  to.served_tick = std::max(from.served_tick(), from.base_tick());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> TimerCore::Export(const State& state) const {
  Proto out;
  for (const CounterState& counter : state.pit.counter) Put(counter, *out.add_counters());
  out.set_speaker(state.pit.speaker);
  Put(state.hpet, *out.mutable_hpet());
  Proto::Rtc& rtc = *out.mutable_rtc();
  rtc.set_offset_ns(state.rtc.offset_ns);
  rtc.set_periodic_served(state.rtc.periodic_served);
  rtc.set_second_served(state.rtc.second_served);
  rtc.set_index(state.rtc.index);
  rtc.set_cmos(state.rtc.cmos, sizeof(state.rtc.cmos));
  rtc.set_line(state.rtc.line != 0);
  out.set_rtc_line(state.rtc_line != 0);
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
  State next{};
  if (in.counters_size() != 3 || in.rtc().cmos().size() != sizeof(next.rtc.cmos) ||
      in.deadlines_size() != static_cast<int>(config_.cpus)) {
    return absl::InvalidArgumentError(
        absl::StrCat("counters, rtc.cmos, deadlines: ", in.counters_size(), ", ",
                     in.rtc().cmos().size(), ", ", in.deadlines_size(), "; need 3, 128, ",
                     config_.cpus));
  }
  for (int i = 0; i < 3; ++i) {
    if (auto status = Get(in.counters(i), next.pit.counter[i]); !status.ok()) return status;
  }
  next.pit.speaker = in.speaker() & 3;
  if (auto status = Get(in.hpet(), next.hpet); !status.ok()) return status;
  next.rtc.offset_ns = in.rtc().offset_ns();
  next.rtc.periodic_served = in.rtc().periodic_served();
  next.rtc.second_served = in.rtc().second_served();
  next.rtc.index = static_cast<uint8_t>(in.rtc().index());
  std::memcpy(next.rtc.cmos, in.rtc().cmos().data(), sizeof(next.rtc.cmos));
  next.rtc.line = in.rtc().line();
  next.rtc_line = in.rtc_line();
  for (uint32_t i = 0; i < config_.cpus; ++i) {
    next.deadlines[i] = {.time_ns = in.deadlines(static_cast<int>(i)).time_ns(),
                         .generation = in.deadlines(static_cast<int>(i)).generation()};
  }
  state = next;
  return absl::OkStatus();
}

}  // namespace hv::timer
