// What IRET and far RET have in common: the frame they pop and the segments they return to (Intel
// SDM vol. 3, 5.8.6).
#pragma once

#include <cstdint>

#include "hv_kernel/soft/cpu.h"
#include "hv_kernel/soft/system/operand_access.h"
#include "hv_kernel/soft/system/segments.h"

namespace hv::soft {

// The code segment of a return to `selector`'s RPL. Sets its accessed bit.
Outcome CheckReturnCode(Cpu& cpu, uint16_t selector, Descriptor& code);
// The stack segment of a return to the outer level `rpl`.
Outcome CheckOuterStack(Cpu& cpu, uint16_t selector, uint32_t rpl, bool to_64bit,
                        hv_segment_state& ss);
// SS and as much of RSP as the new stack is wide.
void LoadOuterStack(Cpu& cpu, const hv_segment_state& ss, uint64_t rsp, bool to_64bit);
// Data segments the outer level `cpl` may not keep are made null (SDM vol. 2, IRET).
void DropInnerDataSegments(Cpu& cpu, uint32_t cpl);

// The frame on the stack, read without moving the stack pointer until all checks are through.
class Frame {
 public:
  Frame(Cpu& cpu, uint32_t bytes) : cpu_(cpu), bytes_(bytes), start_(cpu.gpr[HV_RSP]) {}
  ~Frame() {
    if (!kept_) cpu_.gpr[HV_RSP] = start_;
  }
  Outcome Next(uint64_t& value) { return Pop(cpu_, value, bytes_); }
  void Keep() { kept_ = true; }

 private:
  Cpu& cpu_;
  uint32_t bytes_;
  uint64_t start_;
  bool kept_ = false;
};

}  // namespace hv::soft
