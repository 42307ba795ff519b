// Which arithmetic flags somebody will still read: decides how an address may be probed.
#pragma once

#include <array>
#include <span>

#include "hv_kernel/soft/translate/mode.h"
#include "hv_kernel/soft/translate/run.h"

namespace hv::soft {

class FlagLiveness {
 public:
  // For each instruction of a block whether any arithmetic flag is live just before it executes,
  // that is, may be read by it or later before being overwritten. At the end of the block all are
  // live. Valid until the next call.
  std::span<const bool> Before(std::span<const RunInstruction> run, Mode mode);

 private:
  std::array<bool, kLongestRun> before_;
};

}  // namespace hv::soft
