// A line whose service records what it gets and answers what it was told to, for tests.
#pragma once

#include <cstring>
#include <functional>
#include <optional>
#include <vector>

#include "abi/message.h"
#include "hv_kernel/line.h"

namespace hv {

class FakeLine : public Line {
 public:
  struct Seen {
    uint16_t kind;
    service::Payload payload;
  };

  std::optional<service::Payload> Call(uint16_t kind, uint16_t,
                                       const service::Payload& payload) override {
    seen.push_back({kind, payload});
    if (before_answer) before_answer();
    if (stopping) return std::nullopt;
    return answer;
  }
  bool Post(uint16_t kind, const service::Payload& payload) override {
    seen.push_back({kind, payload});
    return !stopping;
  }

  template <typename T>
  void Answer(const T& value) {
    answer = service::Outgoing::Of(0, 0, 0, value).payload;
  }
  hv_access access(size_t i) const {
    hv_access value;
    std::memcpy(&value, seen.at(i).payload.data(), sizeof(value));
    return value;
  }

  std::vector<Seen> seen;
  service::Payload answer{};
  std::function<void()> before_answer;
  bool stopping = false;
};

}  // namespace hv
