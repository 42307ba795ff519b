// What is kept beside generated code, for as long as that code is.
#pragma once

#include <cstdint>

#include "hv_kernel/soft/translate/block.h"
#include "hv_kernel/soft/translate/fifo.h"
#include "hv_kernel/soft/translate/leave_site.h"

namespace hv::soft {

// Generated code and the other records hold pointers to these. They come and go block by block, the
// oldest block's first.
struct TranslationRecords {
  Fifo<Block> blocks;
  Fifo<InstructionPlace> places;
  Fifo<LeaveSite> sites;
  Fifo<Link> links;
  Fifo<HandledInstruction> handled;

  // A block without any of the rest, which is added next.
  Block& AddBlock() {
    Block& block = blocks.Add({});
    block.first_place = places.end();
    return block;
  }
  void DropOldestBlock() {
    const Block& block = blocks.front();
    places.DropFirst(block.places);
    sites.DropFirst(block.sites);
    links.DropFirst(block.links);
    handled.DropFirst(block.handled);
    blocks.DropFirst(1);
  }
  void Clear() {
    places.Clear();
    sites.Clear();
    links.Clear();
    handled.Clear();
    blocks.Clear();
  }
  uint64_t bytes() const {
    return blocks.size() * sizeof(Block) + places.size() * sizeof(InstructionPlace) +
           sites.size() * sizeof(LeaveSite) + links.size() * sizeof(Link) +
           handled.size() * sizeof(HandledInstruction);
  }
};

}  // namespace hv::soft
