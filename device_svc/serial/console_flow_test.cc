// A whole console: a guest's driver, the port, and a host that keeps to its credit, in every
// interleaving a seed leads to. Nothing is lost, reordered or stuck.
#include <random>

#include "device_svc/serial/test_port.h"

namespace hv::serial {
namespace {

constexpr uint16_t kData = TestPort::kPort, kIer = kData + 1, kIir = kData + 2, kFcr = kData + 2,
                   kMcr = kData + 4, kLsr = kData + 5;

std::string RandomText(std::mt19937& random, size_t bytes) {
  std::string text(bytes, 0);
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

// As hvd does it (abi/message.h, HV_KIND_CONSOLE_CREDIT).
class Host {
 public:
  Host(TestPort& port, std::string input) : port_(port), input_(std::move(input)) {}

  void TypeSome(size_t most) {
    const uint64_t credit = SerialCore::kInputCredit + port_.input_credit - typed_;
    const size_t count = std::min({most, size_t{HV_BYTES_MAX}, input_.size() - typed_, credit});
    if (count == 0) return;
    EXPECT_TRUE(port_.Type(std::string_view(input_).substr(typed_, count)));
    typed_ += count;
  }
  void TakeSome(size_t most) {
    const size_t count = std::min(most, port_.output.size() - taken_);
    if (count == 0) return;
    EXPECT_TRUE(port_.Credit(static_cast<uint32_t>(count)));
    taken_ += count;
  }
  bool done() const { return typed_ == input_.size(); }

 private:
  TestPort& port_;
  const std::string input_;
  size_t typed_ = 0, taken_ = 0;
};

// An interrupt-driven driver; `burst` is what it believes the transmit FIFO to hold.
class Driver {
 public:
  Driver(TestPort& port, std::string output, size_t burst)
      : port_(port), output_(std::move(output)), burst_(burst) {
    port_.Out(kFcr, burst_ > 1 ? 0xc1 : 0x00);
    port_.Out(kMcr, 0x0b);
    port_.Out(kIer, 0x03);
  }

  // Serves an interrupt if there was an edge, as an edge-triggered input would.
  void Poll() {
    for (; edges_seen_ < port_.lines.size(); ++edges_seen_) {
      if (port_.lines[edges_seen_] == 1) pending_ = true;
    }
    if (!pending_) return;
    pending_ = false;
    while (true) {
      const uint64_t id = port_.In(kIir) & 0xf;
      if (id == 0x1) return;
      if (id == 0x2) {
        Fill();
      } else {
        Drain();
      }
    }
  }
  const std::string& received() const { return received_; }
  bool done() const { return sent_ == output_.size(); }

 private:
  void Fill() {
    for (size_t i = 0; i < burst_ && sent_ < output_.size(); ++i) {
      port_.Post(kData, static_cast<uint8_t>(output_[sent_++]));
    }
  }
  void Drain() {
    uint64_t status;
    while (((status = port_.In(kLsr)) & 0x1) != 0) {
      EXPECT_EQ(status & 0x1e, 0u);
      received_.push_back(static_cast<char>(port_.In(kData)));
    }
  }

  TestPort& port_;
  const std::string output_;
  const size_t burst_;
  size_t sent_ = 0;
  size_t edges_seen_ = 0;
  bool pending_ = false;
  std::string received_;
};

class ConsoleFlowTest : public ::testing::TestWithParam<size_t> {};

TEST_P(ConsoleFlowTest, NothingIsLostReorderedOrStuck) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const std::string input = RandomText(random, 3000), output = RandomText(random, 3000);
    TestPort port;
    // Scarce, so that the transmitter often has to wait.
    const uint32_t lent = random() % 100 + 1;
    port.state.credit = lent;
    Host host(port, input);
    Driver driver(port, output, GetParam());
    int turns = 0;
    const auto finished = [&] {
      return host.done() && driver.done() && driver.received().size() == input.size() &&
             port.output.size() == output.size();
    };
    while (!finished() && ++turns < 100'000) {
      switch (random() % 4) {
        case 0: host.TypeSome(random() % 60); break;
        case 1: host.TakeSome(random() % 200); break;
        case 2: driver.Poll(); break;
        case 3: port.Pass(random() % (2 * SerialCore::kCharacterNs)); break;
      }
    }
    EXPECT_TRUE(finished()) << "stuck";
    EXPECT_TRUE(driver.received() == input);
    EXPECT_TRUE(port.output == output);
    host.TakeSome(SIZE_MAX);
    EXPECT_EQ(port.state.credit, lent);
  }
}

INSTANTIATE_TEST_SUITE_P(Bursts, ConsoleFlowTest, ::testing::Values(1, 16),
                         ::testing::PrintToStringParamName());

// Handlers that move one character an interrupt and ask for nothing else.
TEST(ConsoleFlowTest, HandlersOfOneCharacterGetThrough) {
  const std::string text = "one character an interrupt";
  TestPort port;
  port.Out(kMcr, 0x0b);
  port.Out(kIer, 0x01);
  port.Type(text);
  std::string received;
  size_t seen = 0;
  for (int turns = 0; turns < 1000 && received.size() < text.size(); ++turns) {
    for (; seen < port.lines.size(); ++seen) {
      if (port.lines[seen] == 1) received.push_back(static_cast<char>(port.In(kData)));
    }
    port.Pass(SerialCore::kCharacterNs);
  }
  EXPECT_EQ(received, text);
}

}  // namespace
}  // namespace hv::serial
