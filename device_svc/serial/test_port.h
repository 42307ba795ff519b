// A serial port of a test: its core, and the guest, the host and the interrupt input it talks to.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "abi/endpoint.h"
#include "abi/route_table.h"
#include "device_svc/serial/serial_core.h"

namespace hv::serial {

class TestPort {
 public:
  static constexpr uint16_t kPort = 0x3f8;
  static constexpr uint32_t kGsi = 4;
  static constexpr uint32_t kVcpu = HV_ENDPOINT(HV_ROLE_KERNEL, 1);
  static constexpr uint32_t kHost = HV_ENDPOINT(HV_ROLE_HOST, 0);
  static constexpr uint32_t kIoapic = HV_ENDPOINT(HV_ROLE_IOAPIC, 0);

  TestPort() {
    service::Actions actions;
    core.Reset(&state, now_ns, actions);
    EXPECT_TRUE(actions.messages().empty());
  }

  template <typename T>
  bool Handle(uint32_t from, uint16_t kind, uint32_t tag, const T& payload) {
    service::Message message{.from = from, .kind = kind, .tag = tag};
    std::memcpy(message.payload.data(), &payload, sizeof(payload));
    service::Actions actions;
    actions.WakeAt(wake_at_ns);
    const bool known = core.Handle(&state, message, now_ns, actions);
    Take(actions);
    return known;
  }
  // Lets time pass, with the tick that falls due.
  void Pass(uint64_t ns) {
    now_ns += ns;
    if (wake_at_ns > now_ns) return;
    service::Actions actions;
    core.Tick(&state, now_ns, actions);
    Take(actions);
  }

  // The guest.
  uint64_t In(uint64_t address, uint8_t width = 1) {
    answers = 0;
    EXPECT_TRUE(Handle(kVcpu, HV_KIND_READ, kTag,
                       hv_access{.address = address, .width = width, .space = HV_SPACE_PORT}));
    EXPECT_EQ(answers, 1);
    return answer;
  }
  void Out(uint64_t address, uint64_t data, uint8_t width = 1) {
    answers = 0;
    EXPECT_TRUE(Handle(
        kVcpu, HV_KIND_WRITE, kTag,
        hv_access{.address = address, .data = data, .width = width, .space = HV_SPACE_PORT}));
    EXPECT_EQ(answers, 1);
  }
  void Post(uint64_t address, uint64_t data) {
    answers = 0;
    EXPECT_TRUE(
        Handle(kVcpu, HV_KIND_WRITE_POSTED, 0,
               hv_access{.address = address, .data = data, .width = 1, .space = HV_SPACE_PORT}));
    EXPECT_EQ(answers, 0);
  }

  // The host, whether or not it has credit.
  bool Type(std::string_view text) {
    hv_bytes bytes{.length = static_cast<uint32_t>(text.size())};
    std::memcpy(bytes.bytes, text.data(), text.size());
    return Handle(kHost, HV_KIND_CONSOLE_INPUT, 0, bytes);
  }
  bool Credit(uint32_t bytes) {
    return Handle(kHost, HV_KIND_CONSOLE_CREDIT, 0, hv_credit{.bytes = bytes});
  }

  const SerialCore serial{{.port = kPort, .gsi = kGsi}};
  const service::Core& core = serial;
  State state{};
  uint64_t now_ns = 1000;
  uint64_t wake_at_ns = service::kNever;

  std::string output;           // what the host was sent
  uint32_t input_credit = 0;    // what it was granted
  std::vector<uint32_t> lines;  // what the interrupt input was told
  int answers = 0;
  uint64_t answer = 0;

 private:
  static constexpr uint32_t kTag = 0x7a67;

  void Take(const service::Actions& actions) {
    wake_at_ns = actions.wake_at_ns();
    for (const service::Outgoing& sent : actions.messages()) Take(sent);
  }
  void Take(const service::Outgoing& sent) {
    switch (sent.kind) {
      case HV_KIND_READ_DONE:
      case HV_KIND_WRITE_DONE:
        EXPECT_EQ(sent.to, kVcpu);
        EXPECT_EQ(sent.tag, kTag);
        ++answers;
        answer = sent.As<hv_access_done>().data;
        EXPECT_EQ(sent.As<hv_access_done>().event, HV_MACHINE_EVENT_NONE);
        break;
      case HV_KIND_CONSOLE_OUTPUT: {
        EXPECT_EQ(sent.to, kHost);
        const auto bytes = sent.As<hv_bytes>();
        ASSERT_GE(bytes.length, 1u);
        ASSERT_LE(bytes.length, HV_BYTES_MAX);
        output.append(reinterpret_cast<const char*>(bytes.bytes), bytes.length);
        break;
      }
      case HV_KIND_CONSOLE_CREDIT:
        EXPECT_EQ(sent.to, kHost);
        input_credit += sent.As<hv_credit>().bytes;
        break;
      case HV_KIND_LINE:
        EXPECT_EQ(sent.to, kIoapic);
        EXPECT_EQ(sent.As<hv_line>().gsi, kGsi);
        lines.push_back(sent.As<hv_line>().level);
        break;
      default: ADD_FAILURE() << "sent kind " << sent.kind;
    }
  }
};

}  // namespace hv::serial
