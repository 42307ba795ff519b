// Memory for generated code: one memfd mapped twice, writable here and executable there, so that no
// page is ever both (W^X).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/statusor.h"

namespace hv::soft {

class CodeMemory {
 public:
  static absl::StatusOr<CodeMemory> Create(size_t bytes);
  CodeMemory(CodeMemory&& other) noexcept;
  CodeMemory& operator=(CodeMemory&&) = delete;
  ~CodeMemory();

  // Where the next code will execute.
  uint64_t next() const { return executable_ + used_; }
  size_t free() const { return bytes_ - used_; }
  size_t used() const { return used_; }

  // Appends code; returns where it executes. REQUIRES: code.size() <= free().
  uint64_t Append(std::span<const uint8_t> code);
  // Drops everything after the first `keep` bytes.
  void Truncate(size_t keep) { used_ = keep; }

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
  size_t used_ = 0;
};

}  // namespace hv::soft
