#include "device_svc/serial/test_port.h"
#include "proto/hv/v1/serial_state.pb.h"

namespace hv::serial {
namespace {

constexpr uint16_t kData = TestPort::kPort, kIer = kData + 1, kFcr = kData + 2, kLcr = kData + 3,
                   kMcr = kData + 4, kScr = kData + 7;

std::string ExportOf(TestPort& port) { return *port.core().Export(&port.state); }

absl::Status ImportTo(TestPort& port, const hv::v1::SerialServiceState& state) {
  return port.core().Import(&port.state, state.SerializeAsString());
}

// Every register, both queues and the FIFO hold something, the input queue goes round its end.
void Fill(TestPort& port) {
  port.state.uart.input_head = kInputQueue - 2;
  port.Out(kFcr, 0xc1);
  port.Out(kLcr, 0x80);
  port.Out(kData, 0x1234, 2);
  port.Out(kLcr, 0x03);
  port.Out(kMcr, 0x0b);
  port.Out(kIer, 0x0f);
  port.Out(kScr, 0x77);
  port.Type("in the FIFO: 16.and waiting");
  port.In(kData);
  port.state.credit = 3;
  for (const char c : std::string("sent, waiting")) port.Post(kData, static_cast<uint8_t>(c));
}

TEST(SerialExportTest, AnImportedPortGoesOnWhereTheExportedWas) {
  TestPort from, to;
  Fill(from);
  ASSERT_TRUE(to.core().Import(&to.state, ExportOf(from)).ok());
  EXPECT_EQ(ExportOf(to), ExportOf(from));
  to.wake_at_ns = to.now_ns;  // the runtime's tick after an import
  from.lines = to.lines = {};
  from.output.clear();
  for (TestPort* port : {&from, &to}) {
    port->Pass(SerialCore::kCharacterNs);
    port->Credit(100);
    EXPECT_EQ(port->output, "t, waiting");
    std::string read;
    while ((port->In(kData + 5) & 1) != 0) read.push_back(static_cast<char>(port->In(kData)));
    EXPECT_EQ(read, "n the FIFO: 16.and waiting");
  }
  EXPECT_EQ(to.lines, from.lines);
  EXPECT_EQ(ExportOf(to), ExportOf(from));
}

TEST(SerialExportTest, WhatHasNoRoomIsRefusedWithTheLimits) {
  const auto refused = [](auto change) {
    TestPort port;
    hv::v1::SerialServiceState state;
    change(state);
    const std::string before = ExportOf(port);
    const absl::Status status = ImportTo(port, state);
    EXPECT_EQ(ExportOf(port), before);
    return std::string(status.message());
  };
  EXPECT_NE(refused([](auto& s) { s.set_receive(std::string(17, 'x')); }).find("uncredited: 17, 0"),
            std::string::npos);
  EXPECT_NE(refused([](auto& s) { s.set_transmit(std::string(65, 'x')); }).find("0, 65, 0"),
            std::string::npos);
  EXPECT_NE(refused([](auto& s) { s.set_input(std::string(1025, 'x')); }).find("1025"),
            std::string::npos);
  EXPECT_NE(refused([](auto& s) { s.set_credit(16385); }).find("at most 16, 64, 1024, 16384, 31"),
            std::string::npos);
  EXPECT_NE(refused([](auto& s) { s.set_uncredited(32); }).find("32; at most"), std::string::npos);
}

TEST(SerialExportTest, OtherBytesAreRefused) {
  TestPort port;
  EXPECT_FALSE(port.core().Import(&port.state, "\xff\xff").ok());
}

TEST(SerialExportTest, BitsThatRegistersDoNotHaveAreDropped) {
  TestPort port;
  hv::v1::SerialServiceState state;
  state.set_ier(~0u);
  state.set_mcr(~0u);
  state.set_fcr(~0u);
  state.set_line_errors(~0u);
  state.set_modem_delta(~0u);
  ASSERT_TRUE(ImportTo(port, state).ok());
  EXPECT_EQ(port.In(kIer), 0x0fu);
  EXPECT_EQ(port.In(kMcr), 0x1fu);
  EXPECT_EQ(port.In(kData + 5), 0x7eu);
  EXPECT_EQ(port.In(kData + 6), 0xffu);
}

// A line that stands when its driver is cut off from it is told again.
TEST(SerialExportTest, AnOlderStateTellsItsLineAnew) {
  TestPort port;
  hv::v1::SerialServiceState state;
  state.set_ier(0x01);
  state.set_mcr(0x08);
  state.set_receive("x");
  state.set_line(true);
  ASSERT_TRUE(ImportTo(port, state).ok());
  port.wake_at_ns = port.now_ns;
  port.Pass(0);
  EXPECT_EQ(port.lines, (std::vector<uint32_t>{0, 1}));
}

}  // namespace
}  // namespace hv::serial
