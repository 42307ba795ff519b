// The lines of one vCPU thread by the endpoint they lead to.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "abi/endpoint.h"
#include "hv_kernel/line.h"

namespace hv {

class LineMap {
 public:
  void Add(uint32_t endpoint, std::unique_ptr<Line> line) {
    const uint32_t role = HV_ENDPOINT_ROLE(endpoint);
    if (HV_ENDPOINT_INSTANCE(endpoint) == 0 && role < HV_ROLE_COUNT) first_[role] = line.get();
    lines_.emplace_back(endpoint, std::move(line));
  }

  // nullptr: no such service in this machine.
  Line* Find(uint32_t endpoint) const {
    const uint32_t role = HV_ENDPOINT_ROLE(endpoint);
    if (HV_ENDPOINT_INSTANCE(endpoint) == 0 && role < HV_ROLE_COUNT) return first_[role];
    for (const auto& [to, line] : lines_) {
      if (to == endpoint) return line.get();
    }
    return nullptr;
  }

 private:
  std::array<Line*, HV_ROLE_COUNT> first_{};  // instance 0 of each role, the usual case
  std::vector<std::pair<uint32_t, std::unique_ptr<Line>>> lines_;
};

}  // namespace hv
