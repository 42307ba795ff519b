// The guest instructions that one block is made from, in the order in which it executes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "hv_kernel/soft/decoder.h"
#include "hv_kernel/soft/system/instructions.h"
#include "hv_kernel/soft/translate/block.h"

namespace hv::soft {

// The guest's bytes at a block's start: those in its first page, and those on the next one if it is
// mapped. `second` is empty when it is not.
struct CodeBytes {
  std::span<const uint8_t> first;
  std::span<const uint8_t> second;
};

inline constexpr size_t kLongestRun = 128;  // instructions

// Where the run goes on after an instruction.
enum class Onward : uint8_t {
  kOut,    // nowhere: it is the last
  kNext,   // behind it; a conditional jump leaves when it is taken
  kTaken,  // where it jumps to; a conditional jump leaves when it is not taken
};

struct RunInstruction {
  Decoded decoded;
  HandlerInfo handler;  // of `decoded`
  uint32_t offset = 0;  // from the block's first byte
  Onward onward = Onward::kOut;
};

// Ordinarily a run is straight: it ends with the first instruction that may go elsewhere. That of a
// loop (Mode::loop) goes on behind conditional jumps, through direct ones forward, and around the
// loop itself as often as there is room: what it finds out once, a probe, flags that nobody reads,
// it need not find out again.
class Run {
 public:
  enum class Result : uint8_t {
    kOk,
    kNeedsNextPage,  // the first instruction reaches into the next page, which `bytes` lacks
  };

  // Of the code at block.rip in block.mode.
  Result Decode(const Decoder& decoder, const CodeBytes& bytes, const Block& block);

  std::span<const RunInstruction> instructions() const {
    return std::span(instructions_).first(count_);
  }
  // What follows the last instruction, unless it goes elsewhere: from the block's first byte.
  uint32_t end() const { return at_; }
  // How far from the block's first byte its instructions reach.
  uint32_t bytes() const { return bytes_; }
  // How many instructions a turn of the loop has; 0: the run does not come around.
  size_t turn() const { return turn_; }
  // What is at end() is no instruction.
  bool ends_invalid() const { return ends_invalid_; }

 private:
  enum class Step : uint8_t { kGoOn, kStop, kNeedsNextPage };

  Step DecodeOne(const Decoder& decoder, const CodeBytes& bytes, Mode mode);
  bool GoesOn(Mode mode, size_t page_bytes);
  bool GoesOnInLoop(size_t page_bytes);
  bool ComesAround();

  std::vector<RunInstruction> instructions_{kLongestRun};  // the first `count_`
  size_t count_ = 0;
  uint32_t at_ = 0;
  uint32_t bytes_ = 0;
  size_t turn_ = 0;  // instructions in one turn of the loop; 0: it has not come around yet
  bool ends_invalid_ = false;
};

}  // namespace hv::soft
