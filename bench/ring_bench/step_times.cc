#include "bench/ring_bench/step_times.h"

#include <vector>

#include "base/check.h"
#include "bench/ring_bench/tsc.h"
#include "ring/segment.h"
#include "service/committer.h"

namespace hv::bench {
namespace {

constexpr uint32_t kSelf = HV_ENDPOINT(HV_ROLE_TIMER, 0);
constexpr uint32_t kVcpu = HV_ENDPOINT(HV_ROLE_KERNEL, 0);
constexpr uint32_t kCapacity = 64;
constexpr uint64_t kSteps = 10000;
constexpr size_t kSegmentBytes = 64 * 1024;

struct EchoState {
  uint64_t reads;
};

// Answers each read with its address.
class EchoCore final : public service::TypedCore<EchoState> {
 public:
  uint32_t state_layout() const override { return 1; }

 protected:
  void Reset(EchoState&, uint64_t, service::Actions&) const override {}
  bool Handle(EchoState& state, const service::Message& message, uint64_t,
              service::Actions& actions) const override {
    ++state.reads;
    actions.Send(message.from, HV_KIND_READ_DONE, message.tag,
                 hv_access_done{.data = message.As<hv_access>().address});
    return true;
  }
  void Tick(EchoState&, uint64_t, service::Actions&) const override {}
  absl::StatusOr<std::string> Export(const EchoState&) const override { return std::string(); }
  absl::Status Import(EchoState&, absl::string_view) const override { return absl::OkStatus(); }
};

class NoEffects final : public service::FaultEffects {
 public:
  void Fail(hv_fault_action, uint64_t) override {}
};

ring::Mapping MakeSegment(uint64_t bytes) {
  const auto fd = ring::CreateSegment("bench", bytes);
  CHECK(fd.ok());
  return ring::Mapping::Map(fd->get(), bytes, /*writable=*/true).value();
}

}  // namespace

struct StepTimes::Service {
  explicit Service(FaultPoints points) {
    service::StateSegment::Format(state_memory.bytes(), HV_ROLE_TIMER, 1);
    ring::FormatChannel(channel.bytes(), kSelf, kVcpu, 1, kCapacity);
    const auto vcpu = ring::OpenChannel(channel.bytes(), kVcpu, kSelf).value();
    sender = std::make_unique<ring::Producer>(vcpu.outbound);
    receiver = std::make_unique<ring::Consumer>(vcpu.inbound);
    auto state = service::StateSegment::Open(state_memory.bytes(), HV_ROLE_TIMER, 1,
                                             core.state_bytes(), core.state_layout())
                     .value();
    const std::vector<service::Port> ports{
        {kVcpu, ring::OpenChannel(channel.bytes(), kSelf, kVcpu).value()}};
    const auto faults = points == FaultPoints::kNone
                            ? service::FaultPoints()
                            : service::FaultPoints(&state.faults(), &effects);
    committer =
        std::make_unique<service::Committer<ring::DirectStores>>(core, state, kSelf, ports, faults);
    committer->Recover(0);
  }
  void Step(uint64_t now_ns) {
    hv_cell cell{};
    cell.kind = HV_KIND_READ;
    cell.tag = 1;
    sender->Push(cell);
    CHECK(committer->StepMessage(0, now_ns) == service::StepResult::kDone);
    committer->AcknowledgeAll();
    CHECK(receiver->Peek(cell) == ring::PeekResult::kMessage);
    receiver->Advance();
    ring::DirectStores stores;
    receiver->Acknowledge(stores);
    CHECK(sender->HasRoom(1));
  }

  ring::Mapping state_memory = MakeSegment(kSegmentBytes);
  ring::Mapping channel = MakeSegment(HV_CHANNEL_BYTES(kCapacity));
  EchoCore core;
  NoEffects effects;
  std::unique_ptr<ring::Producer> sender;
  std::unique_ptr<ring::Consumer> receiver;
  std::unique_ptr<service::Committer<ring::DirectStores>> committer;
};

StepTimes::StepTimes(FaultPoints points, uint64_t rounds)
    : service_(std::make_unique<Service>(points)), samples_(rounds) {}

StepTimes::~StepTimes() = default;

void StepTimes::Round() {
  const uint64_t begin = TscNow();
  for (uint64_t step = 1; step <= kSteps; ++step) service_->Step(step);
  samples_.Add(TscNow() - begin);
}

double StepTimes::NsPerStep(double share) const {
  return samples_.PercentileNs(share) / static_cast<double>(kSteps);
}

}  // namespace hv::bench
