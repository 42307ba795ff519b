// Tells whoever started hvd when it listens, or why it cannot.
#pragma once

#include "absl/status/status.h"
#include "base/unique_fd.h"

namespace hv::hvd {

// Writes one line, once, to the given descriptor and closes it: "ready", or "error: " and a
// message. With descriptor -1 it does nothing.
class Readiness {
 public:
  explicit Readiness(int fd);
  void Ready();
  void Failed(const absl::Status& status);

 private:
  void Say(const std::string& line);
  UniqueFd fd_;
};

}  // namespace hv::hvd
