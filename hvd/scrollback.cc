#include "hvd/scrollback.h"

#include <algorithm>

#include "base/check.h"

namespace hv::hvd {

void Scrollback::Append(std::string_view text) {
  for (const char byte : text) bytes_[end_++ % bytes_.size()] = byte;
}

std::string Scrollback::Read(uint64_t offset, size_t most) const {
  CHECK(offset >= begin() && offset <= end_);
  std::string text(std::min<uint64_t>(most, end_ - offset), '\0');
  for (size_t i = 0; i < text.size(); ++i) text[i] = bytes_[(offset + i) % bytes_.size()];
  return text;
}

}  // namespace hv::hvd
