// A whole timer_svc on a fake clock for tests: messages go in as its peers would send them, ticks
// come when it asked for them, what it sends is kept.
#pragma once

#include <vector>

#include "abi/message.h"
#include "abi/platform.h"
#include "abi/route_table.h"
#include "timer_svc/rate.h"
#include "timer_svc/timer_core.h"

namespace hv::timer {

// 2024-02-28 23:59:50 UTC, ten seconds before a leap day.
inline constexpr int64_t kTestTimeSeconds = 1'709'164'790;

class TestService {
 public:
  static constexpr uint32_t kCpu = HV_ENDPOINT(HV_ROLE_KERNEL, 0);
  static constexpr uint32_t kVcpu = HV_ENDPOINT(HV_ROLE_VCPU, 0);

  explicit TestService(uint32_t cpus = 1)
      : core_({.cpus = cpus,
               .realtime_base_ns = kTestTimeSeconds * static_cast<int64_t>(kNsPerSecond)}) {
    service::Actions actions;
    core().Reset(&state, now_ns, actions);
    wake_at_ns = actions.wake_at_ns();
  }

  // Any message, now; what it caused is in `sent`, appended.
  bool Handle(const service::Message& message) {
    service::Actions actions;
    const bool known = core().Handle(&state, message, now_ns, actions);
    Keep(actions);
    return known;
  }
  template <typename T>
  bool Send(uint32_t from, uint16_t kind, const T& payload, uint32_t tag = 0) {
    return Handle({.from = from,
                   .kind = kind,
                   .tag = tag,
                   .payload = service::Outgoing::Of(0, kind, tag, payload).payload});
  }
  void Tick() {
    service::Actions actions;
    core().Tick(&state, now_ns, actions);
    ++ticks;
    Keep(actions);
  }
  // Time passes, with a tick whenever one was asked for.
  void RunUntil(uint64_t time_ns) {
    while (wake_at_ns <= time_ns) {
      now_ns = std::max(now_ns, wake_at_ns);
      Tick();
    }
    now_ns = time_ns;
  }
  void RunFor(uint64_t ns) { RunUntil(now_ns + ns); }
  // Time passes, and nobody serves it.
  void Pause(uint64_t ns) { now_ns += ns; }

  uint64_t Read(hv_space space, uint64_t address, uint8_t width) {
    Send(kCpu, HV_KIND_READ, Access(space, address, width, 0), 1);
    return TakeAnswer(HV_KIND_READ_DONE);
  }
  void Write(hv_space space, uint64_t address, uint8_t width, uint64_t data) {
    Send(kCpu, HV_KIND_WRITE, Access(space, address, width, data), 1);
    TakeAnswer(HV_KIND_WRITE_DONE);
  }
  uint8_t In(uint16_t port) { return static_cast<uint8_t>(Read(HV_SPACE_PORT, port, 1)); }
  void Out(uint16_t port, uint8_t value) { Write(HV_SPACE_PORT, port, 1, value); }
  uint8_t ReadCmos(uint8_t index) {
    Out(0x70, index);
    return In(0x71);
  }
  void WriteCmos(uint8_t index, uint8_t value) {
    Out(0x70, index);
    Out(0x71, value);
  }
  uint64_t ReadHpet(uint64_t offset) { return Read(HV_SPACE_MMIO, HV_HPET_BASE + offset, 8); }
  void WriteHpet(uint64_t offset, uint64_t value) {
    Write(HV_SPACE_MMIO, HV_HPET_BASE + offset, 8, value);
  }
  void SetPit(uint8_t control, uint16_t count) {
    Out(0x43, control);
    Out(0x40, static_cast<uint8_t>(count));
    Out(0x40, static_cast<uint8_t>(count >> 8));
  }
  bool SetDeadline(uint32_t vcpu, uint64_t time_ns, uint32_t generation) {
    return Send(kVcpu, HV_KIND_DEADLINE_SET,
                hv_deadline{.time_ns = time_ns, .vcpu = vcpu, .generation = generation});
  }

  // Takes what has been sent of `kind` out of `sent`.
  template <typename T>
  std::vector<T> Take(uint16_t kind) {
    std::vector<T> taken;
    std::vector<service::Outgoing> others;
    for (const service::Outgoing& message : sent) {
      if (message.kind == kind) {
        taken.push_back(message.As<T>());
      } else {
        others.push_back(message);
      }
    }
    sent = std::move(others);
    return taken;
  }
  std::vector<hv_deadline> Expired() { return Take<hv_deadline>(HV_KIND_DEADLINE_EXPIRED); }
  // How often the line of `gsi` rose since the last call; forgets all lines.
  int Rises(uint32_t gsi) {
    int rises = 0;
    for (const hv_line& line : Take<hv_line>(HV_KIND_LINE)) {
      if (line.gsi == gsi && line.level != 0) ++rises;
    }
    return rises;
  }

  static hv_access Access(hv_space space, uint64_t address, uint8_t width, uint64_t data) {
    return {.address = address, .data = data, .width = width, .space = static_cast<uint8_t>(space)};
  }
  service::Core& core() { return core_; }

  State state{};
  uint64_t now_ns = 0;
  uint64_t wake_at_ns = 0;
  uint64_t ticks = 0;
  std::vector<service::Outgoing> sent;

 private:
  void Keep(const service::Actions& actions) {
    sent.insert(sent.end(), actions.messages().begin(), actions.messages().end());
    wake_at_ns = actions.wake_at_ns();
  }
  uint64_t TakeAnswer(uint16_t kind) {
    const auto answers = Take<hv_access_done>(kind);
    return answers.size() == 1 ? answers[0].data : 0xdeadbeefdeadbeef;
  }

  TimerCore core_;
};

}  // namespace hv::timer
