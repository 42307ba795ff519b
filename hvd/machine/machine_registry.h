// All machines of this hvd by name.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hvd/machine/machine.h"
#include "hvd/machine/world.h"

namespace hv::hvd {

// Thread-safe.
class MachineRegistry {
 public:
  // `on_empty`, if any, is called when the last machine has been deleted, or could not be created;
  // the registry is closed then, so that nobody gets a machine of an hvd that is ending.
  explicit MachineRegistry(const World& world, std::function<void()> on_empty = nullptr);
  ~MachineRegistry();

  // Takes over what another hvd has left: the machines, and files and parts of machines that cannot
  // be. In words, what became of each. Once, before all else.
  std::vector<std::string> Restore(Records records);

  // AlreadyExists: the name is taken. Unavailable: it is closed. Otherwise as ValidateConfig and
  // Machine::Build; after an error nothing is left.
  absl::StatusOr<std::shared_ptr<Machine>> Create(const hv::v1::MachineConfig& given);
  // NotFound: names the machines there are.
  absl::StatusOr<std::shared_ptr<Machine>> Find(const std::string& name) const;
  // FailedPrecondition unless it is created or stopped, or `force`.
  absl::Status Delete(const std::string& name, bool force);
  // Ends and deletes all machines and takes no more: hvd is to end.
  void DeleteAll();
  // Takes no more machines if there is none, and returns whether that is so.
  bool CloseIfEmpty();
  // By name.
  std::vector<std::shared_ptr<Machine>> All() const;

 private:
  absl::StatusOr<std::shared_ptr<Machine>> RestoreOne(const std::string& name, Remains remains);
  void Remove(const std::string& name);

  const World world_;
  const std::function<void()> on_empty_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Machine>> machines_;
  bool closed_ = false;
};

}  // namespace hv::hvd
