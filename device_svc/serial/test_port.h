// A serial port of a test: its core, and the guest, the host and the interrupt input it talks to.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "abi/endpoint.h"
#include "device_svc/serial/serial_core.h"
#include "service/test_service.h"

namespace hv::serial {

class TestPort : public service::TestService<SerialCore, State> {
 public:
  static constexpr uint16_t kPort = 0x3f8;
  static constexpr uint32_t kGsi = 4;
  static constexpr uint32_t kHost = HV_ENDPOINT(HV_ROLE_HOST, 0);
  static constexpr uint32_t kIoapic = HV_ENDPOINT(HV_ROLE_IOAPIC, 0);

  TestPort()
      : service::TestService<SerialCore, State>(SerialCore::Config{.port = kPort, .gsi = kGsi}) {
    EXPECT_TRUE(sent.empty());
    now_ns = 1000;
  }

  template <typename T>
  bool Handle(uint32_t from, uint16_t kind, uint32_t tag, const T& payload) {
    const bool known = Send(from, kind, payload, tag);
    TakeSent();
    return known;
  }
  // Lets time pass, with the tick that falls due.
  void Pass(uint64_t ns) {
    now_ns += ns;
    if (wake_at_ns > now_ns) return;
    Tick();
    TakeSent();
  }

  // The guest.
  uint64_t In(uint64_t address, uint8_t width = 1) {
    const uint64_t data = Read(HV_SPACE_PORT, address, width);
    TakeSent();
    return data;
  }
  void Out(uint64_t address, uint64_t data, uint8_t width = 1) {
    EXPECT_EQ(Write(HV_SPACE_PORT, address, width, data).event, HV_MACHINE_EVENT_NONE);
    TakeSent();
  }
  void Post(uint64_t address, uint64_t data) {
    EXPECT_TRUE(
        Handle(kCpu, HV_KIND_WRITE_POSTED, 0, service::AccessTo(HV_SPACE_PORT, address, 1, data)));
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

  std::string output;           // what the host was sent
  uint32_t input_credit = 0;    // what it was granted
  std::vector<uint32_t> lines;  // what the interrupt input was told

 private:
  void TakeSent() {
    for (const service::Outgoing& out : sent) Take(out);
    sent.clear();
  }
  void Take(const service::Outgoing& out) {
    switch (out.kind) {
      case HV_KIND_CONSOLE_OUTPUT: {
        EXPECT_EQ(out.to, kHost);
        const auto bytes = out.As<hv_bytes>();
        ASSERT_GE(bytes.length, 1u);
        ASSERT_LE(bytes.length, HV_BYTES_MAX);
        output.append(reinterpret_cast<const char*>(bytes.bytes), bytes.length);
        break;
      }
      case HV_KIND_CONSOLE_CREDIT:
        EXPECT_EQ(out.to, kHost);
        input_credit += out.As<hv_credit>().bytes;
        break;
      case HV_KIND_LINE:
        EXPECT_EQ(out.to, kIoapic);
        EXPECT_EQ(out.As<hv_line>().gsi, kGsi);
        lines.push_back(out.As<hv_line>().level);
        break;
      default: ADD_FAILURE() << "sent kind " << out.kind;
    }
  }
};

}  // namespace hv::serial
