// Calls on descriptors of /dev/kvm, their failures as values.
#pragma once

#include <linux/kvm.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace hv::kvm {

// What a call named `request` that failed with `error` says. Running out of something is
// ResourceExhausted; all else InvalidArgument: KVM did not accept what it was given.
inline absl::Status CallFailed(absl::string_view request, int error) {
  const std::string text = absl::StrCat(request, ": ", std::strerror(error));
  return error == ENOMEM || error == EMFILE || error == ENOSPC ? absl::ResourceExhaustedError(text)
                                                               : absl::InvalidArgumentError(text);
}

template <typename Argument>
absl::Status Call(int fd, unsigned long request, absl::string_view name, Argument argument) {
  if (ioctl(fd, request, argument) >= 0) return absl::OkStatus();
  return CallFailed(name, errno);
}

}  // namespace hv::kvm

// The name of a request is what an error should show.
#define HV_KVM_CALL(fd, request, argument) ::hv::kvm::Call(fd, request, #request, argument)
