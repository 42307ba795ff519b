// The folder that holds hvd's socket and what it keeps of its machines. Only its user may look in.
//
//   hvd.sock              where hvd listens
//   hvd.sock.lock         held with flock by the hvd that listens
//   keeper.sock           where hv_keeper waits for the next hvd
//   machines/NAME/log     what the machine's processes wrote to standard error
#pragma once

#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace hv::hvd {

// One machine's folder; removed with everything in it on destruction.
class MachineFolder {
 public:
  MachineFolder(MachineFolder&& other) noexcept;
  MachineFolder& operator=(MachineFolder&&) = delete;
  ~MachineFolder();

  // For standard error of the machine's processes.
  int log_fd() const { return log_.get(); }
  // The last complete lines of the log, at most `bytes`.
  std::string LogTail(size_t bytes) const;

 private:
  friend class RuntimeFolder;
  MachineFolder(std::string path, UniqueFd log) : path_(std::move(path)), log_(std::move(log)) {}

  std::string path_;
  UniqueFd log_;
};

class RuntimeFolder {
 public:
  // Makes `path` with mode 0700 unless it is there. PermissionDenied: it is a link, another user's,
  // or open to others; says what to do.
  static absl::StatusOr<RuntimeFolder> Open(const std::string& path);

  const std::string& path() const { return path_; }

  // REQUIRES: `name` is a machine's name, so free of slashes. What a predecessor of that name left
  // is removed.
  absl::StatusOr<MachineFolder> MakeMachineFolder(const std::string& name) const;
  // As MakeMachineFolder, but goes on with what is there.
  absl::StatusOr<MachineFolder> KeepMachineFolder(const std::string& name) const;
  // Removes the folders of all machines but these.
  void RemoveMachineFoldersBut(const std::set<std::string>& names) const;

 private:
  explicit RuntimeFolder(std::string path) : path_(std::move(path)) {}
  std::string FolderOf(const std::string& name) const;
  std::string path_;
};

}  // namespace hv::hvd
