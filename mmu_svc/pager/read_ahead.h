// How much memory to give at a fault. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace hv::mmu {

// Bytes [begin, end) of the RAM segment; whole pages.
struct Extent {
  uint64_t begin;
  uint64_t end;
  bool operator==(const Extent&) const = default;
};

// A page costs its thread two changes of process, so a fault is answered with the aligned chunk it
// lies in; memory that is not touched any time soon costs the host memory, so the chunk is small,
// until a guest goes on where the last one ended: then each is twice the one before.
class ReadAhead {
 public:
  static constexpr uint64_t kPageBytes = 4096;
  static constexpr uint64_t kLeastBytes = 64 << 10;
  static constexpr uint64_t kMostBytes = 2 << 20;
  // Sequences told apart: a guest's CPUs, and a kernel that clears pages while it fills others.
  static constexpr size_t kSequences = 8;

  // `memory`: what is guest memory; nothing is given outside of it or across its pieces. REQUIRES:
  // whole pages, disjoint.
  explicit ReadAhead(std::vector<Extent> memory) : memory_(std::move(memory)) {}

  // What to give when the page at `offset` is missing; contains it. Nothing: no guest memory.
  std::optional<Extent> At(uint64_t offset);

 private:
  // The next chunk, if the guest goes on there. Oldest first.
  struct Sequence {
    uint64_t next = UINT64_MAX;
    uint64_t bytes = 0;
  };
  // The size of the chunk at `offset`, by whether a sequence has come there; takes that one out.
  uint64_t TakeBytes(uint64_t offset);

  const std::vector<Extent> memory_;
  std::array<Sequence, kSequences> sequences_;
};

}  // namespace hv::mmu
