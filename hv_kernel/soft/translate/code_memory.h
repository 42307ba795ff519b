// Memory for generated code: one memfd mapped twice, writable here and executable there, so that no
// page is ever both (W^X).
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"

namespace hv::soft {

// What was appended first goes first: the memory is a ring.
class CodeMemory {
 public:
  static absl::StatusOr<CodeMemory> Create(size_t bytes);
  CodeMemory(CodeMemory&& other) noexcept;
  CodeMemory& operator=(CodeMemory&&) = delete;
  ~CodeMemory();

  // Makes next() the start of as much free memory, in one piece. False: what is oldest has to go
  // first. REQUIRES: `bytes` is less than Drop() frees when all is dropped.
  bool Reserve(size_t bytes);
  // Where the next code will execute.
  uint64_t next() const { return executable_ + next_; }
  // The next code is what lies from next() on now. REQUIRES: Reserve() of as much was true.
  void Append(size_t bytes);
  // Makes everything up to now permanent. REQUIRES: nothing has been dropped.
  void Keep() { kept_ = oldest_ = next_; }
  // Drops everything before `oldest`, the executable address of what was appended after it.
  void DropBefore(uint64_t oldest) { oldest_ = oldest - executable_; }
  void DropAll() { oldest_ = next_ = kept_; }

  size_t used() const;
  // The writable alias of an executable address.
  uint8_t* Writable(uint64_t executable) const { return writable_ + (executable - executable_); }
  uint64_t begin() const { return executable_; }
  uint64_t end() const { return executable_ + bytes_; }

 private:
  CodeMemory(uint8_t* writable, uint64_t executable, size_t bytes)
      : writable_(writable), executable_(executable), bytes_(bytes) {}

  uint8_t* writable_;
  uint64_t executable_;
  size_t bytes_;
  // Offsets. In use are [0, kept_), and from oldest_ to next_, around the end when next_ is less.
  size_t kept_ = 0;
  size_t oldest_ = 0;
  size_t next_ = 0;
};

}  // namespace hv::soft
