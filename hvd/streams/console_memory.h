// A machine's console in a memory file, so that it outlives hvd: the last part of the output, each
// byte numbered since the beginning, and how far hvd has come in the rings that bring it.
//
//    0       8         16         24       32       64               104              144      4096
//   +-------+---------+----------+--------+--------+----------------+----------------+--------+-- -
//   | magic | version | capacity | commit | zeroes | ConsoleState 0 | ConsoleState 1 | unused |
//   bytes
//   +-------+---------+----------+--------+--------+----------------+----------------+--------+-- -
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "ring/segment.h"

namespace hv::hvd {

// hvd's place in its rings with serial_svc (host_port.h). What a fresh machine begins with.
struct PortPosition {
  uint64_t taken = 0;         // cells taken from serial_svc
  uint64_t sent = 0;          // cells sent to it
  uint64_t ungranted = 0;     // bytes taken for which it has not got its credit back
  uint32_t input_credit = 0;  // bytes that it takes now
  uint32_t zero = 0;
};

// Not thread-safe. One hvd at a time.
//
// Invariants: holds bytes [begin(), end()); end() - begin() <= capacity. The current ConsoleState,
// which the low bit of `commit` names, is never written; one release store makes output and
// position current together, so that a successor of a killed hvd takes each cell once.
class ConsoleMemory {
 public:
  static constexpr size_t kBytes = 1 << 20;
  // The most that is appended at once.
  static constexpr size_t kMostAppended = 4096;

  // ResourceExhausted: the host has no descriptor or memory left.
  static absl::StatusOr<ConsoleMemory> Make(size_t capacity = kBytes);
  // What another hvd has made. InvalidArgument, FailedPrecondition: it is none, or not of a version
  // this one knows.
  static absl::StatusOr<ConsoleMemory> Open(UniqueFd fd);

  uint64_t begin() const { return end() < capacity_ ? 0 : end() - capacity_; }
  uint64_t end() const { return current().end; }
  size_t capacity() const { return capacity_; }
  const PortPosition& position() const { return current().position; }

  // Appends `text`, the oldest bytes making room, and moves to `position`, in one step.
  // REQUIRES: text.size() <= kMostAppended.
  void Append(std::string_view text, const PortPosition& position);
  // At most `most` bytes from `offset` on. REQUIRES: begin() <= offset <= end().
  std::string Read(uint64_t offset, size_t most) const;

  // Whoever holds it holds the console.
  int fd() const { return fd_.get(); }

 private:
  struct ConsoleState {
    uint64_t end;
    PortPosition position;
  };
  struct Header;

  ConsoleMemory(UniqueFd fd, ring::Mapping mapping, size_t capacity);
  Header& header() const;
  const ConsoleState& current() const;
  char& Byte(uint64_t offset) const;

  UniqueFd fd_;
  ring::Mapping mapping_;
  size_t capacity_;
};

}  // namespace hv::hvd
