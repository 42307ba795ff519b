// Numbers of the model-specific registers that are state of a CPU, and so of every engine.
#pragma once

#include <cstdint>

namespace hv {

// Intel SDM vol. 4, chapter 2.
enum Msr : uint32_t {
  kTsc = 0x10,
  kTscAdjust = 0x3b,
  kSysenterCs = 0x174,
  kSysenterEsp = 0x175,
  kSysenterEip = 0x176,
  kPat = 0x277,
  kEfer = 0xc0000080,
  kStar = 0xc0000081,
  kLstar = 0xc0000082,
  kCstar = 0xc0000083,
  kSfmask = 0xc0000084,
  kFsBase = 0xc0000100,
  kGsBase = 0xc0000101,
  kKernelGsBase = 0xc0000102,
  kTscAux = 0xc0000103,
};

}  // namespace hv
