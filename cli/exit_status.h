// What hvctl exits with. Its own failures are even, so that they cannot be taken for the status of
// a guest that ends by debug exit, which is (value << 1) | 1.
#pragma once

namespace hv::cli {

inline constexpr int kOk = 0;              // done; run and wait: the guest switched itself off
inline constexpr int kUsage = 2;           // the command line makes no sense
inline constexpr int kRefused = 4;         // hvd refused the request or failed to do it
inline constexpr int kUnreachable = 6;     // no hvd could be reached or started
inline constexpr int kGuestCrashed = 8;    // run, wait: triple fault or unsupported instruction
inline constexpr int kMachineFailed = 10;  // run, wait: a part of hv failed
inline constexpr int kStopped = 12;        // run, wait: ended before the guest switched itself off

}  // namespace hv::cli
