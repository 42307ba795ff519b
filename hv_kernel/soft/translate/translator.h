// Turns a run of guest instructions into a block of host code.
#pragma once

#include <cstdint>
#include <memory>

#include "hv_kernel/soft/decoder.h"
#include "hv_kernel/soft/translate/block.h"
#include "hv_kernel/soft/translate/code_memory.h"
#include "hv_kernel/soft/translate/emission.h"
#include "hv_kernel/soft/translate/run.h"

namespace hv::soft {

class Translator {
 public:
  Translator(CodeMemory& memory, const Trampolines& trampolines, LeaveSites& sites)
      : memory_(memory), trampolines_(trampolines), sites_(sites) {}

  enum class Result {
    kOk,
    kNeedsNextPage,  // the first instruction reaches into the next page, which `bytes` lacks
    kFull,           // no room in code memory: drop everything and try again
  };

  // Fills the rest of `block`: bytes, code, link_code, code_bytes, places.
  // REQUIRES: where the block lies and its mode are set.
  Result Translate(const CodeBytes& bytes, Block& block);

  uint64_t instructions() const { return instructions_; }

 private:
  void EmitInstruction(Emission& e, bool& ended);
  void Place(Emission& e, Block& block);

  CodeMemory& memory_;
  const Trampolines& trampolines_;
  LeaveSites& sites_;
  Decoder decoder_;
  Run run_;
  uint64_t instructions_ = 0;
};

}  // namespace hv::soft
