// A service process that may die at any moment, and all that outlives it: for tests of the commit
// protocol.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "ring/test_channel.h"
#include "service/committer.h"
#include "service/test_core.h"

namespace hv::service {

inline constexpr uint32_t kSelf = HV_ENDPOINT(HV_ROLE_TIMER, 0);
// Less than the answers: rings go round several times and fill up.
inline constexpr uint32_t kCapacity = 16;
inline constexpr uint64_t kMessages = 40;
inline constexpr size_t kSegmentBytes = 256 * 1024;

struct Crash {};

// Throws after the store that was asked for: nothing later in the process happens.
struct CrashingStores {
  int* left = nullptr;  // stores until the crash; null: never
  void After() {
    if (left != nullptr && --*left == 0) throw Crash{};
  }
};

// A peer that outlives the service process: what it received stays received.
class Peer {
 public:
  explicit Peer(uint32_t endpoint) : memory_(HV_CHANNEL_BYTES(kCapacity) / 64), name_(endpoint) {
    ring::FormatChannel(bytes(), kSelf, endpoint, 1, kCapacity);
    const auto view = ring::OpenChannel(bytes(), endpoint, kSelf).value();
    sender_.emplace(view.outbound);
    receiver_.emplace(view.inbound);
  }
  Port port() { return {name_, ring::OpenChannel(bytes(), kSelf, name_).value()}; }

  bool Send(uint32_t tag, uint64_t number) {
    if (!sender_->HasRoom(1)) return false;
    hv_cell cell{};
    cell.kind = HV_KIND_DEADLINE_SET;
    cell.tag = tag;
    const hv_deadline payload{.time_ns = number};
    std::memcpy(cell.payload, &payload, sizeof(payload));
    sender_->Push(cell);
    return true;
  }
  void ReceiveAll() {
    hv_cell cell;
    while (receiver_->Peek(cell) == ring::PeekResult::kMessage) {
      uint64_t word;
      std::memcpy(&word, cell.payload, sizeof(word));
      seen_.emplace_back(cell.tag, word);
      receiver_->Advance();
    }
    ring::DirectStores direct;
    receiver_->Acknowledge(direct);
  }
  // In order, as (tag, first payload word).
  const std::vector<std::pair<uint32_t, uint64_t>>& seen() const { return seen_; }

 private:
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::span<std::byte> bytes() {
    return {reinterpret_cast<std::byte*>(memory_.data()), memory_.size() * sizeof(Line)};
  }
  std::vector<Line> memory_;
  uint32_t name_;
  std::optional<ring::Producer> sender_;
  std::optional<ring::Consumer> receiver_;
  std::vector<std::pair<uint32_t, uint64_t>> seen_;
};

// Everything that outlives the service process.
class World {
 public:
  World() : segment_(kSegmentBytes / sizeof(uint64_t)) {
    StateSegment::Format(bytes(), HV_ROLE_TIMER, 1);
  }

  // A process: attaches, recovers, works until there is nothing left or it crashes. The peers send
  // when it has nothing to do and receive when it has no room.
  void RunProcess(CrashingStores stores, FaultEffects* effects = nullptr) {
    auto state = StateSegment::Open(bytes(), HV_ROLE_TIMER, 1, core_.state_bytes(), 1).value();
    ASSERT_TRUE(state.CheckCurrent(2).ok());
    const std::vector<Port> ports{vcpu_.port(), ioapic_.port()};
    Committer<CrashingStores> committer(core_, state, kSelf, ports,
                                        FaultPoints(&state.faults(), effects), stores);
    committer.Recover(0);
    uint64_t now_ns = 0;
    for (;;) {
      const StepResult result = committer.StepMessage(0, ++now_ns);
      if (result == StepResult::kDone && now_ns % 4 == 0) (void)committer.StepTick(now_ns);
      if (result == StepResult::kDone) continue;
      if (result == StepResult::kNoRoom) {
        ++blocked;
        PeersReceive();
        continue;
      }
      committer.AcknowledgeAll();
      if (!PeersSend()) break;
    }
    PeersReceive();
  }

  const auto& SeenByVcpu() const { return vcpu_.seen(); }
  const auto& SeenByIoapic() const { return ioapic_.seen(); }
  SumState state() {
    auto segment = StateSegment::Open(bytes(), HV_ROLE_TIMER, 1, core_.state_bytes(), 1).value();
    return *static_cast<const SumState*>(segment.current_state());
  }
  uint64_t projected() const { return core_.projected_sum; }
  hv_state_header& header() { return *reinterpret_cast<hv_state_header*>(segment_.data()); }
  hv_fault_table& faults() {
    return *reinterpret_cast<hv_fault_table*>(bytes().data() + HV_FAULTS_OFFSET);
  }
  // As hvd sets one.
  hv_fault& SetFault(const hv_fault& plan) {
    hv_fault& place = faults().faults[faults().armed++];
    place = plan;
    place.id = faults().armed;
    return place;
  }
  int blocked = 0;

 private:
  void PeersReceive() {
    vcpu_.ReceiveAll();
    ioapic_.ReceiveAll();
  }
  // False when there was nothing more to send.
  bool PeersSend() {
    bool sent = false;
    while (next_ < kMessages && vcpu_.Send(static_cast<uint32_t>(next_), next_ * next_ + 1)) {
      ++next_;
      sent = true;
    }
    return sent;
  }
  std::span<std::byte> bytes() {
    return {reinterpret_cast<std::byte*>(segment_.data()), kSegmentBytes};
  }
  std::vector<uint64_t> segment_;
  Peer vcpu_{SumCore::kVcpu};
  Peer ioapic_{SumCore::kIoapic};
  SumCore core_;
  uint64_t next_ = 0;
};

}  // namespace hv::service
