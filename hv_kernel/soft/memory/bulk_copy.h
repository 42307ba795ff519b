// Copies that touch no vector register: the guest's are live while the engine's own code runs, and
// the library's memcpy would use them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hv::soft {

inline void CopyBytes(void* to, const void* from, size_t bytes) {
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}
inline void FillBytes(void* to, uint8_t value, size_t bytes) {
  asm volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
}

}  // namespace hv::soft
