// Shared-memory segments: memfds, sealed to their size, mapped through Boost.Interprocess.
#pragma once

#include <boost/interprocess/mapped_region.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace hv::ring {

// Makes a zeroed memfd of `bytes` that can neither shrink nor grow, so that no peer can turn a
// mapping into SIGBUS. `name` is what /proc/PID/maps shows.
absl::StatusOr<UniqueFd> CreateSegment(const std::string& name, uint64_t bytes);

// A mapping. Movable; unmaps itself.
class Mapping {
 public:
  Mapping() = default;

  // Maps all of `fd`. InvalidArgument unless the file has at least `bytes` and is sealed against
  // shrinking: what comes over a socket is not believed.
  static absl::StatusOr<Mapping> Map(int fd, uint64_t bytes, bool writable);

  std::span<std::byte> bytes() const {
    return {static_cast<std::byte*>(region_.get_address()), region_.get_size()};
  }
  template <typename T>
  T* As() const {
    return static_cast<T*>(region_.get_address());
  }
  bool valid() const { return region_.get_address() != nullptr; }

 private:
  boost::interprocess::mapped_region region_;
};

}  // namespace hv::ring
