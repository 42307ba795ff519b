// What a loader leaves for a kernel in low memory: start structures, lists and strings, one after
// the other from kBootDataAt on.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "boot/guest_memory.h"

namespace hv::boot {

class BootData {
 public:
  explicit BootData(const GuestMemory& memory) : memory_(memory) {}

  // Copies `bytes` to the next multiple of 8; returns its physical address. InvalidArgument: there
  // is no room left; `what` says what it was.
  absl::StatusOr<uint32_t> Place(std::span<const std::byte> bytes, const char* what) {
    const uint64_t at = (next_ + 7) & ~uint64_t{7};
    if (bytes.size() > kBootDataEnd - at) {
      return absl::InvalidArgumentError(absl::StrCat(
          what, ": ", bytes.size(), " bytes, but only ", kBootDataEnd - at, " of ",
          kBootDataEnd - kBootDataAt, " are left for command lines and lists; shorten them"));
    }
    if (auto status = memory_.Write(at, bytes, what); !status.ok()) return status;
    next_ = at + bytes.size();
    return static_cast<uint32_t>(at);
  }
  template <typename T>
  absl::StatusOr<uint32_t> PlaceArray(const std::vector<T>& values, const char* what) {
    return Place(std::as_bytes(std::span(values)), what);
  }
  // With the final zero.
  absl::StatusOr<uint32_t> PlaceString(const std::string& text, const char* what) {
    return Place(std::as_bytes(std::span(text.c_str(), text.size() + 1)), what);
  }

 private:
  const GuestMemory& memory_;
  uint64_t next_ = kBootDataAt;
};

}  // namespace hv::boot
