#include "cli/raw_terminal.h"

#include <unistd.h>

namespace hv::cli {

RawTerminal::RawTerminal(int fd) : fd_(fd) {
  if (tcgetattr(fd, &former_) != 0) return;
  termios raw = former_;
  cfmakeraw(&raw);
  raw_ = tcsetattr(fd, TCSADRAIN, &raw) == 0;
}

RawTerminal::~RawTerminal() {
  if (raw_) tcsetattr(fd_, TCSADRAIN, &former_);
}

}  // namespace hv::cli
