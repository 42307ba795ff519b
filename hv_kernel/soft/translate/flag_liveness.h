// Which arithmetic flags somebody will still read: decides how an address may be probed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "hv_kernel/soft/translate/mode.h"
#include "hv_kernel/soft/translate/run.h"

namespace hv::soft {

// For each instruction of a block whether any arithmetic flag is live just before it executes, that
// is, may be read by it or later before being overwritten. At the end of the block all are live.
std::vector<bool> FlagsLiveBefore(std::span<const RunInstruction> run, Mode mode);

}  // namespace hv::soft
