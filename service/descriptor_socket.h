// Messages with descriptors over a SOCK_SEQPACKET socket (unix(7), SCM_RIGHTS).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"

namespace hv::service {

inline constexpr size_t kMaxMessageBytes = 128 * 1024;
inline constexpr size_t kMaxDescriptorsPerMessage = 253;  // SCM_MAX_FD

struct MessageWithDescriptors {
  std::string bytes;
  std::vector<UniqueFd> fds;  // close-on-exec
};

// Unavailable: the other side is gone.
absl::Status SendWithDescriptors(int socket, absl::string_view bytes, std::span<const int> fds);
// One message of at most `most` bytes. Unavailable: the other side is gone. InvalidArgument: it was
// larger than the limits.
absl::StatusOr<MessageWithDescriptors> ReceiveWithDescriptors(int socket,
                                                              size_t most = kMaxMessageBytes);

}  // namespace hv::service
