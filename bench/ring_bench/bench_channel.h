// A channel between the two processes, and an end of it that spins.
#pragma once

#include <cstdint>

#include "abi/channel.h"
#include "bench/ring_bench/partners.h"
#include "ring/channel.h"
#include "ring/consumer.h"
#include "ring/producer.h"

namespace hv::bench {

class BenchChannel {
 public:
  // As the rings of a machine between a vCPU and a service (hvd/plan/topology.cc).
  static constexpr uint32_t kCapacity = 256;

  BenchChannel();
  const ring::ChannelView& a() const { return a_; }
  const ring::ChannelView& b() const { return b_; }

  // Every operation a part of hv goes through for a message, but sleeping and waking.
  class End {
   public:
    explicit End(const ring::ChannelView& view)
        : producer_(view.outbound), consumer_(view.inbound) {}

    void Send(uint64_t number) {
      hv_cell cell{};
      cell.kind = 1;
      cell.tag = static_cast<uint32_t>(number);
      while (!producer_.HasRoom(1)) {
      }
      producer_.Push(cell);
    }
    // The next message's tag.
    uint32_t Receive() {
      hv_cell cell;
      while (consumer_.Peek(cell) != ring::PeekResult::kMessage) {
      }
      consumer_.Advance();
      if (consumer_.AcknowledgeDue()) consumer_.Acknowledge(stores_);
      return cell.tag;
    }

   private:
    ring::Producer producer_;
    ring::Consumer consumer_;
    ring::DirectStores stores_;
  };

 private:
  ring::Mapping mapping_;
  ring::ChannelView a_;
  ring::ChannelView b_;
};

}  // namespace hv::bench
