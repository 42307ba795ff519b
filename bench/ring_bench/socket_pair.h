// A Unix socket with messages of a cell's size.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

#include "abi/cell.h"
#include "base/check.h"
#include "bench/ring_bench/partners.h"

namespace hv::bench {

class SocketPair {
 public:
  static constexpr const char* kName = "Unix socket";
  static constexpr bool kSpins = false;

  SocketPair() { CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends_) == 0); }
  ~SocketPair() {
    close(ends_[0]);
    close(ends_[1]);
  }
  SocketPair(const SocketPair&) = delete;
  SocketPair& operator=(const SocketPair&) = delete;

  void Ask(uint64_t n) {
    Send(ends_[0], n);
    Receive(ends_[0]);
  }
  void Answer(uint64_t n) {
    Receive(ends_[1]);
    Send(ends_[1], n);
  }

 private:
  static void Send(int end, uint64_t n) {
    char message[HV_CELL_BYTES] = {};
    std::memcpy(message, &n, sizeof(n));
    CHECK(send(end, message, sizeof(message), 0) == sizeof(message));
  }
  static void Receive(int end) {
    char message[HV_CELL_BYTES];
    CHECK(recv(end, message, sizeof(message), 0) == sizeof(message));
  }

  int ends_[2];
};

}  // namespace hv::bench
