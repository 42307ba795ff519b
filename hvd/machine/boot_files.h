// The files a machine boots from, opened by hvd and handed to the loader as descriptors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "proto/hv/v1/machine.pb.h"

namespace hv::hvd {

struct BootFile {
  std::string path;
  UniqueFd fd;
  uint64_t bytes = 0;
  std::string command_line;  // modules only
};

struct BootFiles {
  BootFile kernel;
  std::optional<BootFile> initrd;
  std::vector<BootFile> modules;
};

// NotFound, PermissionDenied: the file, with its role. InvalidArgument: it is empty or not a
// regular file. What is in the files is the loader's to judge.
absl::StatusOr<BootFiles> OpenBootFiles(const hv::v1::MachineConfig& config);

}  // namespace hv::hvd
