// One vCPU thread's line to one service: a request and its answer, or a message without one.
#pragma once

#include <cstdint>
#include <optional>

#include "service/message.h"

namespace hv {

// On the path of an exit (VcpuEngine): where guests run, a line is compiled to general registers
// alone.
class Line {
 public:
  virtual ~Line() = default;

  // Sends and waits for the answer with the same tag. nullopt: the machine is stopping.
  // Answers of another kind or tag are counted and dropped, never taken for this one.
  virtual std::optional<service::Payload> Call(uint16_t kind, uint16_t answer_kind,
                                               const service::Payload& payload) = 0;
  // Sends without waiting, but for room in the ring. False: the machine is stopping.
  virtual bool Post(uint16_t kind, const service::Payload& payload) = 0;
};

}  // namespace hv
