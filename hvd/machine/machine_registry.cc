#include "hvd/machine/machine_registry.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "hvd/machine/machine_config.h"

namespace hv::hvd {
namespace {

constexpr size_t kNamesInMessage = 10;

}  // namespace

MachineRegistry::MachineRegistry(const World& world, std::function<void()> on_empty)
    : world_(world), on_empty_(std::move(on_empty)) {}

MachineRegistry::~MachineRegistry() {
  for (const auto& machine : All()) machine->AnnounceDeletion();
}

std::vector<std::string> MachineRegistry::Restore(Records records) {
  std::vector<std::string> report;
  std::set<std::string> restored;
  for (auto& [name, remains] : SortRecords(std::move(records))) {
    for (const std::string& text : remains.damaged) report.push_back(text);
    const auto machine = RestoreOne(name, std::move(remains));
    if (!machine.ok()) {
      report.push_back(absl::StrCat(
          "machine ", name, " cannot be taken over and is ended: ", machine.status().message()));
      continue;
    }
    restored.insert(name);
    report.push_back(absl::StrCat("machine ", name, " is taken over"));
  }
  world_.folder.RemoveMachineFoldersBut(restored);
  return report;
}

absl::StatusOr<std::shared_ptr<Machine>> MachineRegistry::RestoreOne(const std::string& name,
                                                                     Remains remains) {
  const auto refuse = [&](const absl::Status& status) {
    for (RemainingPart& part : remains.parts) {
      world_.launcher.Adopt(part.pid, std::move(part.death_fd));  // ends it
    }
    const MachineRecords records(world_.keeper, name, remains.keys);  // removes them when it goes
    return status;
  };
  if (!remains.machine) return refuse(absl::DataLossError("it was still being made"));
  const auto config = ValidateConfig(remains.machine->machine().config());
  if (!config.ok()) return refuse(config.status());
  if (config->name() != name) return refuse(absl::DataLossError("its record has another name"));
  auto console = ConsoleMemory::Open(std::move(remains.console));
  if (!console.ok()) return refuse(console.status());
  const auto machine = std::make_shared<Machine>(world_, remains, *std::move(console));
  machine->Restore(std::move(remains));
  std::lock_guard lock(mutex_);
  machines_[name] = machine;
  return machine;
}

absl::StatusOr<std::shared_ptr<Machine>> MachineRegistry::Create(
    const hv::v1::MachineConfig& given) {
  auto config = ValidateConfig(given);
  if (!config.ok()) return config.status();
  auto console = ConsoleMemory::Make();
  if (!console.ok()) return console.status();
  std::shared_ptr<Machine> machine;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return absl::UnavailableError("hvd is ending; start another");
    auto& place = machines_[config->name()];
    if (place != nullptr) {
      return absl::AlreadyExistsError(absl::StrCat("name ", config->name(),
                                                   " is taken; choose another or delete that "
                                                   "machine"));
    }
    // The name is taken from here on, so that two cannot build under it.
    place = machine = std::make_shared<Machine>(world_, *config, *std::move(console));
  }
  if (auto status = machine->Build(); !status.ok()) {
    Remove(config->name());
    return status;
  }
  return machine;
}

absl::StatusOr<std::shared_ptr<Machine>> MachineRegistry::Find(const std::string& name) const {
  std::lock_guard lock(mutex_);
  if (const auto found = machines_.find(name); found != machines_.end()) return found->second;
  std::string there;
  size_t shown = 0;
  for (const auto& [other, machine] : machines_) {
    if (shown++ == kNamesInMessage) {
      absl::StrAppend(&there, " ...");
      break;
    }
    absl::StrAppend(&there, there.empty() ? "" : " ", other);
  }
  return absl::NotFoundError(
      absl::StrCat("no machine '", name, "'; there ", there.empty() ? "is none" : "are: ", there));
}

absl::Status MachineRegistry::Delete(const std::string& name, bool force) {
  auto machine = Find(name);
  if (!machine.ok()) return machine.status();
  const auto state = (*machine)->Show().state();
  if (state == hv::v1::MACHINE_STATE_CREATING) {
    return absl::FailedPreconditionError(
        absl::StrCat("machine ", name, " is being created; delete it when that is done"));
  }
  const bool idle =
      state == hv::v1::MACHINE_STATE_CREATED || state == hv::v1::MACHINE_STATE_STOPPED;
  if (!idle && !force) {
    return absl::FailedPreconditionError(
        absl::StrCat("machine ", name, " is not stopped; stop it first, or force its deletion"));
  }
  if (auto status = (*machine)->Stop(std::chrono::seconds(0)); !status.ok()) return status;
  (*machine)->AnnounceDeletion();
  Remove(name);
  return absl::OkStatus();
}

void MachineRegistry::DeleteAll() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  for (const auto& machine : All()) {
    // One that is still being made goes with the registry.
    Delete(machine->Show().config().name(), /*force=*/true).IgnoreError();
  }
}

void MachineRegistry::Remove(const std::string& name) {
  std::shared_ptr<Machine> removed;  // destroyed without the lock
  bool empty;
  {
    std::lock_guard lock(mutex_);
    const auto found = machines_.find(name);
    if (found == machines_.end()) return;
    removed = std::move(found->second);
    machines_.erase(found);
    empty = machines_.empty();
    if (empty && on_empty_) closed_ = true;
  }
  removed.reset();
  if (empty && on_empty_) on_empty_();
}

bool MachineRegistry::CloseIfEmpty() {
  std::lock_guard lock(mutex_);
  if (machines_.empty()) closed_ = true;
  return machines_.empty();
}

std::vector<std::shared_ptr<Machine>> MachineRegistry::All() const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Machine>> all;
  for (const auto& [name, machine] : machines_) {
    if (machine != nullptr) all.push_back(machine);
  }
  return all;
}

}  // namespace hv::hvd
