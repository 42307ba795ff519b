// What memory accesses must tell the translator: guest code may lie in what they write.
#pragma once

#include <cstdint>

namespace hv::soft {

// One flag a page of RAM, shared by the vCPUs of a machine. Relaxed: a vCPU that translates sets the
// flag before it reads the code, and drops every write tag of the page afterwards.
class CodeTracker {
 public:
  void Use(uint8_t* flags, uint64_t pages) {
    flags_ = flags;
    pages_ = pages;
  }
  // Whether translated code was made from the RAM page: its write tags stay off.
  bool HasCode(uint64_t ram_page) const {
    return ram_page < pages_ && __atomic_load_n(&flags_[ram_page], __ATOMIC_RELAXED) != 0;
  }
  void SetCode(uint64_t ram_page, bool has_code) {
    if (ram_page < pages_) __atomic_store_n(&flags_[ram_page], has_code, __ATOMIC_RELAXED);
  }

 private:
  uint8_t* flags_ = nullptr;
  uint64_t pages_ = 0;
};

}  // namespace hv::soft
