// The user's terminal while it belongs to a guest.
#pragma once

#include <termios.h>

namespace hv::cli {

// Raw from construction to destruction, if the descriptor is a terminal; every key goes to the
// guest.
class RawTerminal {
 public:
  explicit RawTerminal(int fd);
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

  bool is_terminal() const { return raw_; }

 private:
  const int fd_;
  bool raw_ = false;
  termios former_{};
};

}  // namespace hv::cli
