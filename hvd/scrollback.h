// The last part of a console's output, each byte numbered since the beginning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hv::hvd {

// Invariant: holds bytes [begin(), end()); end() - begin() <= capacity.
class Scrollback {
 public:
  explicit Scrollback(size_t capacity) : bytes_(capacity) {}

  uint64_t begin() const { return end_ < bytes_.size() ? 0 : end_ - bytes_.size(); }
  uint64_t end() const { return end_; }
  size_t capacity() const { return bytes_.size(); }

  // The oldest bytes make room.
  void Append(std::string_view text);
  // At most `most` bytes from `offset` on. REQUIRES: begin() <= offset <= end().
  std::string Read(uint64_t offset, size_t most) const;

 private:
  std::vector<char> bytes_;
  uint64_t end_ = 0;
};

}  // namespace hv::hvd
