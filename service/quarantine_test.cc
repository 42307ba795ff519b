// Messages that kill the service: after three deaths it is spared them, and the rest goes on.
#include "gtest/gtest.h"
#include "ring/test_channel.h"
#include "service/committer.h"
#include "service/test_core.h"

namespace hv::service {
namespace {

constexpr uint32_t kSelf = HV_ENDPOINT(HV_ROLE_TIMER, 0);
constexpr uint32_t kVcpu = HV_ENDPOINT(HV_ROLE_KERNEL, 0);
constexpr uint32_t kCapacity = 64;
constexpr uint64_t kPoison = 666;

struct Death {};

// Dies of a read at address kPoison; answers others with the address.
class MortalCore : public SumCore {
 protected:
  void Reset(SumState&, uint64_t, Actions&) const override {}
  bool Handle(SumState& state, const Message& message, uint64_t, Actions& actions) const override {
    const uint64_t address = message.As<hv_access>().address;
    if (address == kPoison) throw Death{};
    state.sum += address;
    actions.Send(message.from, HV_KIND_READ_DONE, message.tag, hv_access_done{.data = address});
    return true;
  }
};

class QuarantineTest : public testing::Test {
 protected:
  QuarantineTest() : segment_(256 * 1024 / sizeof(uint64_t)) {
    StateSegment::Format(bytes(), HV_ROLE_TIMER, 1);
  }
  std::span<std::byte> bytes() {
    return {reinterpret_cast<std::byte*>(segment_.data()), segment_.size() * sizeof(uint64_t)};
  }
  hv_state_header& header() { return *reinterpret_cast<hv_state_header*>(segment_.data()); }

  void Ask(ring::Producer& sender, uint16_t kind, uint64_t address, uint32_t tag) {
    hv_cell cell{};
    cell.kind = kind;
    cell.tag = tag;
    const hv_access access{.address = address, .data = 0, .width = 1};
    std::memcpy(cell.payload, &access, sizeof(access));
    sender.Push(cell);
  }
  // One life: true if it took all there was, false if it died.
  bool Live() {
    auto state = StateSegment::Open(bytes(), HV_ROLE_TIMER, 1, core_.state_bytes(), 1).value();
    const std::vector<Port> ports{{kVcpu, first_.a}, {kVcpu + 1, second_.a}};
    Committer<ring::DirectStores> committer(core_, state, kSelf, ports);
    try {
      committer.Recover(0);
      for (size_t channel = 0; channel < 2; ++channel) {
        while (committer.StepMessage(channel, 0) == StepResult::kDone) {
        }
      }
    } catch (const Death&) {
      return false;
    }
    committer.AcknowledgeAll();
    return true;
  }
  int DeathsUntilDone() {
    for (int deaths = 0; deaths < 100; ++deaths) {
      if (Live()) return deaths;
    }
    return 100;
  }
  // The answers on a channel, by tag.
  static std::vector<std::pair<uint32_t, uint64_t>> Answers(const ring::RingView& inbound) {
    std::vector<std::pair<uint32_t, uint64_t>> answers;
    ring::Consumer consumer(inbound);
    hv_cell cell;
    while (consumer.Peek(cell) == ring::PeekResult::kMessage) {
      hv_access_done done;
      std::memcpy(&done, cell.payload, sizeof(done));
      answers.emplace_back(cell.tag, done.data);
      consumer.Advance();
    }
    return answers;
  }

  std::vector<uint64_t> segment_;
  ring::TestChannel first_{kCapacity};
  ring::TestChannel second_{kCapacity};
  ring::Producer to_first_{first_.b.outbound};
  ring::Producer to_second_{second_.b.outbound};
  MortalCore core_;
};

TEST_F(QuarantineTest, AfterThreeDeathsItIsAnsweredAsByAbsentHardware) {
  Ask(to_first_, HV_KIND_READ, 1, 10);
  Ask(to_first_, HV_KIND_READ, kPoison, 11);
  Ask(to_first_, HV_KIND_READ, 2, 12);
  EXPECT_EQ(DeathsUntilDone(), static_cast<int>(HV_POISON_DEATHS));
  EXPECT_EQ(Answers(first_.b.inbound),
            (std::vector<std::pair<uint32_t, uint64_t>>{{10, 1}, {11, UINT64_MAX}, {12, 2}}));
  EXPECT_EQ(header().quarantined, 1u);
  EXPECT_EQ(header().last_quarantined, uint64_t{kVcpu} << 32 | HV_KIND_READ);
}

TEST_F(QuarantineTest, OneThatDoesNotKillAgainIsHandled) {
  Ask(to_first_, HV_KIND_READ, kPoison, 1);
  EXPECT_FALSE(Live());
  EXPECT_FALSE(Live());
  const auto tame = hv_access{.address = 5, .data = 0, .width = 1};
  std::memcpy(first_.b.outbound.Slot(0).payload, &tame, sizeof(tame));
  EXPECT_TRUE(Live());
  EXPECT_EQ(header().quarantined, 0u);
  EXPECT_EQ(Answers(first_.b.inbound).at(0).second, 5u);
}

TEST_F(QuarantineTest, EachPoisonIsCountedForItself) {
  Ask(to_first_, HV_KIND_READ, kPoison, 1);
  Ask(to_first_, HV_KIND_READ, kPoison, 2);
  EXPECT_EQ(DeathsUntilDone(), 2 * static_cast<int>(HV_POISON_DEATHS));
  EXPECT_EQ(header().quarantined, 2u);
}

// Work of another channel between the deaths does not make it forgotten.
TEST_F(QuarantineTest, WorkBetweenDeathsDoesNotWashItClean) {
  Ask(to_second_, HV_KIND_READ, kPoison, 1);
  int deaths = 0;
  for (; deaths < 100; ++deaths) {
    Ask(to_first_, HV_KIND_READ, 7, 100 + static_cast<uint32_t>(deaths));
    if (Live()) break;
  }
  EXPECT_EQ(deaths, static_cast<int>(HV_POISON_DEATHS));
  EXPECT_EQ(header().quarantined, 1u);
}

TEST_F(QuarantineTest, ADeathWithNothingInHandAccusesNobody) {
  Ask(to_first_, HV_KIND_READ, 3, 1);
  EXPECT_TRUE(Live());
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Live());  // each killed while idle
  for (const uint64_t suspect : header().suspects) EXPECT_EQ(suspect, 0u);
}

TEST_F(QuarantineTest, AbsentHardwareIgnoresWritesAndFaultsMsrs) {
  Actions actions;
  const auto access = hv_access{.address = 1, .data = 2, .width = 4};
  AnswerAsAbsent(Message::Of(kVcpu, HV_KIND_WRITE, 4, access), actions);
  AnswerAsAbsent(Message::Of(kVcpu, HV_KIND_MSR_READ, 5, hv_msr{}), actions);
  AnswerAsAbsent(Message::Of(kVcpu, HV_KIND_WRITE_POSTED, 0, access), actions);
  ASSERT_EQ(actions.messages().size(), 2u);
  EXPECT_EQ(actions.messages()[0].kind, HV_KIND_WRITE_DONE);
  EXPECT_EQ(actions.messages()[0].tag, 4u);
  EXPECT_EQ(actions.messages()[1].As<hv_msr_done>().fault, 1u);
}

}  // namespace
}  // namespace hv::service
