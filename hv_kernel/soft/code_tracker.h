// What memory accesses must tell the translator: guest code may lie in what they write.
#pragma once

#include <cstdint>

namespace hv::soft {

class CodeTracker {
 public:
  virtual ~CodeTracker() = default;

  // Whether translated code was made from the RAM page: its write tags stay off.
  virtual bool HasCode(uint64_t ram_page) const = 0;
  // [physical, physical + bytes), inside one page that may hold code, has been written.
  virtual void OnWrite(uint64_t physical, uint32_t bytes) = 0;
};

}  // namespace hv::soft
