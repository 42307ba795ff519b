// Turns a run of guest instructions into a block of host code.
#pragma once

#include <cstdint>
#include <memory>

#include "hv_kernel/soft/decoder.h"
#include "hv_kernel/soft/translate/block.h"
#include "hv_kernel/soft/translate/code_memory.h"
#include "hv_kernel/soft/translate/emission.h"
#include "hv_kernel/soft/translate/flag_liveness.h"
#include "hv_kernel/soft/translate/held_pages.h"
#include "hv_kernel/soft/translate/run.h"
#include "hv_kernel/soft/translate/shared_probes.h"
#include "hv_kernel/soft/translate/translation_records.h"

namespace hv::soft {

class Translator {
 public:
  Translator(CodeMemory& memory, const Trampolines& trampolines, TranslationRecords& records)
      : memory_(memory), trampolines_(trampolines), records_(records) {}

  // More code than any block comes to.
  static constexpr size_t kRoom = size_t{256} << 10;

  // Fills the rest of `block`, which is the newest one, and appends its code. False: the first
  // instruction reaches into the next page, which `bytes` lacks; nothing has changed.
  // REQUIRES: where the block lies and its mode are set; kRoom is reserved in code memory.
  bool Translate(const CodeBytes& bytes, Block& block);

  uint64_t instructions() const { return instructions_; }

 private:
  struct Probes {
    std::span<const SharedProbe> shared;
    size_t head = 0;  // where the turns of a loop begin that hold pages; 0: none do
  };
  Probes PlanProbes(std::span<const bool> flags_live, Mode mode);
  void EmitInstruction(Emission& e, bool& ended);
  void Place(Emission& e, Block& block);

  CodeMemory& memory_;
  const Trampolines& trampolines_;
  TranslationRecords& records_;
  Decoder decoder_;
  Run run_;
  FlagLiveness flag_liveness_;
  ProbeSharing probe_sharing_;
  HeldPages held_pages_;
  EmissionMemory emission_memory_;
  uint64_t instructions_ = 0;
};

}  // namespace hv::soft
