// The other side of hvd's channels with serial_svc and power_svc, for tests.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <span>
#include <string>

#include "abi/endpoint.h"
#include "abi/message.h"
#include "hvd/plan/segment_set.h"
#include "ring/channel.h"
#include "ring/consumer.h"
#include "ring/producer.h"
#include "ring/segment.h"

namespace hv::hvd {

class TestPeer {
 public:
  TestPeer(const SegmentSet& set, uint32_t peer)
      : mapping_(ring::Mapping::Map(
                     set.Find(HV_SEGMENT_CHANNEL, peer, HV_ENDPOINT(HV_ROLE_HOST, 0))->fd.get(),
                     set.Find(HV_SEGMENT_CHANNEL, peer, HV_ENDPOINT(HV_ROLE_HOST, 0))->bytes, true)
                     .value()),
        view_(ring::OpenChannel(mapping_.bytes(), peer, HV_ENDPOINT(HV_ROLE_HOST, 0)).value()),
        producer_(view_.outbound),
        consumer_(view_.inbound) {}

  template <typename T>
  void Send(uint16_t kind, const T& payload) {
    hv_cell cell{};
    cell.kind = kind;
    std::memcpy(cell.payload, &payload, sizeof(payload));
    ASSERT_TRUE(producer_.HasRoom(1));
    producer_.Push(cell);
  }
  void Output(const std::string& text) {
    hv_bytes bytes{.length = uint32_t(text.size())};
    std::memcpy(bytes.bytes, text.data(), text.size());
    Send(HV_KIND_CONSOLE_OUTPUT, bytes);
  }
  void Credit(uint32_t bytes) { Send(HV_KIND_CONSOLE_CREDIT, hv_credit{.bytes = bytes}); }

  // All that has come: typed bytes in one string, credit in another sum.
  struct Received {
    std::string input;
    uint64_t credit = 0;
    int buttons = 0;
  };
  Received Receive() {
    Received received;
    hv_cell cell;
    while (consumer_.Peek(cell) == ring::PeekResult::kMessage) {
      if (cell.kind == HV_KIND_CONSOLE_INPUT) {
        hv_bytes bytes;
        std::memcpy(&bytes, cell.payload, sizeof(bytes));
        received.input.append(reinterpret_cast<const char*>(bytes.bytes), bytes.length);
      } else if (cell.kind == HV_KIND_CONSOLE_CREDIT) {
        hv_credit credit;
        std::memcpy(&credit, cell.payload, sizeof(credit));
        received.credit += credit.bytes;
      } else if (cell.kind == HV_KIND_POWER_BUTTON) {
        ++received.buttons;
      }
      consumer_.Advance();
    }
    ring::DirectStores stores;
    consumer_.Acknowledge(stores);
    return received;
  }
  std::span<std::byte> memory() { return mapping_.bytes(); }

 private:
  ring::Mapping mapping_;
  ring::ChannelView view_;
  ring::Producer producer_;
  ring::Consumer consumer_;
};

}  // namespace hv::hvd
