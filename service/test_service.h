// A whole service on a fake clock for tests: messages go in as its peers would send them, ticks
// come when it asked for them, what it sends is kept.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "abi/endpoint.h"
#include "abi/route_table.h"
#include "gtest/gtest.h"
#include "service/core.h"

namespace hv::service {

inline hv_access AccessTo(hv_space space, uint64_t address, uint8_t width, uint64_t data = 0) {
  return {.address = address, .data = data, .width = width, .space = static_cast<uint8_t>(space)};
}

// `C` is a TypedCore<S>.
template <typename C, typename S>
class TestService {
 public:
  // Who reads and writes.
  static constexpr uint32_t kCpu = HV_ENDPOINT(HV_ROLE_KERNEL, 3);

  template <typename... Config>
  explicit TestService(Config&&... config) : core_(std::forward<Config>(config)...) {
    Actions actions;
    core().Reset(&state, now_ns, actions);
    Keep(actions);
  }

  // Any message, now; what it caused is in `sent`, appended.
  bool Handle(const Message& message) {
    Actions actions;
    actions.WakeAt(wake_at_ns);
    const bool known = core().Handle(&state, message, now_ns, actions);
    Keep(actions);
    return known;
  }
  template <typename T>
  bool Send(uint32_t from, uint16_t kind, const T& payload, uint32_t tag = 0) {
    return Handle(Message::Of(from, kind, tag, payload));
  }
  void Tick() {
    Actions actions;
    actions.WakeAt(wake_at_ns);
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

  // A read or write that is served, with its one answer, which does not stay in `sent`.
  hv_access_done Access(uint16_t kind, const hv_access& access) {
    const size_t first = sent.size();
    EXPECT_TRUE(Send(kCpu, kind, access, kTag));
    const uint16_t answer = kind == HV_KIND_READ ? HV_KIND_READ_DONE : HV_KIND_WRITE_DONE;
    const auto is_answer = [&](const Outgoing& out) {
      return out.kind == answer && out.to == kCpu && out.tag == kTag;
    };
    const auto from = sent.begin() + static_cast<ptrdiff_t>(first);
    EXPECT_EQ(std::count_if(from, sent.end(), is_answer), 1);
    const auto found = std::find_if(from, sent.end(), is_answer);
    if (found == sent.end()) return {};
    const auto done = found->template As<hv_access_done>();
    sent.erase(found);
    return done;
  }
  uint64_t Read(hv_space space, uint64_t address, uint8_t width) {
    return Access(HV_KIND_READ, AccessTo(space, address, width)).data;
  }
  hv_access_done Write(hv_space space, uint64_t address, uint8_t width, uint64_t data) {
    return Access(HV_KIND_WRITE, AccessTo(space, address, width, data));
  }
  // An access that makes no sense is refused, yet who waits for it is answered: with all ones.
  void ExpectRefused(const hv_access& access) {
    EXPECT_FALSE(Send(kCpu, HV_KIND_READ, access));
    const auto read = Take<hv_access_done>(HV_KIND_READ_DONE);
    ASSERT_EQ(read.size(), 1u);
    EXPECT_EQ(read[0].data, UINT64_MAX);
    EXPECT_FALSE(Send(kCpu, HV_KIND_WRITE, access));
    EXPECT_EQ(Take<hv_access_done>(HV_KIND_WRITE_DONE).size(), 1u);
  }
  uint8_t In(uint16_t port) { return static_cast<uint8_t>(Read(HV_SPACE_PORT, port, 1)); }
  void Out(uint16_t port, uint8_t value) { Write(HV_SPACE_PORT, port, 1, value); }

  // Takes what has been sent of `kind` out of `sent`.
  template <typename T>
  std::vector<T> Take(uint16_t kind) {
    const auto is_other = [&](const Outgoing& out) { return out.kind != kind; };
    const auto first = std::stable_partition(sent.begin(), sent.end(), is_other);
    std::vector<T> taken;
    for (auto it = first; it != sent.end(); ++it) taken.push_back(it->template As<T>());
    sent.erase(first, sent.end());
    return taken;
  }

  Core& core() { return core_; }

  S state{};
  uint64_t now_ns = 0;
  uint64_t wake_at_ns = kNever;
  uint64_t ticks = 0;
  std::vector<Outgoing> sent;

 private:
  static constexpr uint32_t kTag = 0x7a67;

  void Keep(const Actions& actions) {
    sent.insert(sent.end(), actions.messages().begin(), actions.messages().end());
    wake_at_ns = actions.wake_at_ns();
  }

  C core_;
};

}  // namespace hv::service
