// CHECK: for what only a bug of hv itself can cause. Never for what a guest, a peer or a user can.
#pragma once

namespace hv {

// Writes "file:line: CHECK failed: condition" to standard error and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace hv

#define CHECK(condition) \
  (__builtin_expect(!!(condition), 1) ? (void)0 : ::hv::CheckFailed(__FILE__, __LINE__, #condition))
