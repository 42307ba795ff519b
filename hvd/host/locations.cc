#include "hvd/host/locations.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace hv::hvd {
namespace {

std::string OwnFolder() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "." : self.parent_path().string();
}

// In the source tree each program lies in a folder named after it, devices below device_svc.
std::vector<std::string> TreePlaces(const std::string& name) {
  if (name == "hvctl") return {"cli/hvctl"};
  if (name == "hv_boot") return {"boot/hv_boot"};
  if (name == "hv_keeper") return {"hvd/keeper/hv_keeper"};
  const std::string stem(absl::StripSuffix(name, "_svc"));
  return {absl::StrCat(name, "/", name), absl::StrCat("device_svc/", stem, "/", name)};
}

}  // namespace

std::string DefaultRuntimeFolder() {
  const char* xdg = std::getenv("XDG_RUNTIME_DIR");
  // The variable survives changes of user that its folder does not.
  if (xdg != nullptr && xdg[0] == '/' && access(xdg, W_OK) == 0) return absl::StrCat(xdg, "/hv");
  if (geteuid() == 0) return "/run/hv";
  return absl::StrCat("/tmp/hv-", geteuid());
}

std::string DefaultSocketPath() {
  const char* socket = std::getenv("HV_SOCKET");
  if (socket != nullptr && socket[0] != '\0') return socket;
  return absl::StrCat(DefaultRuntimeFolder(), "/hvd.sock");
}

Executables::Executables(std::string libexec)
    : libexec_(std::move(libexec)), own_folder_(OwnFolder()) {}

Executables Executables::Beside(std::string own_folder) {
  Executables executables;
  executables.own_folder_ = std::move(own_folder);
  return executables;
}

std::vector<std::string> Executables::Candidates(const std::string& name) const {
  if (!libexec_.empty()) return {absl::StrCat(libexec_, "/", name)};
  std::vector<std::string> candidates{absl::StrCat(own_folder_, "/", name)};
  for (const std::string& place : TreePlaces(name)) {
    candidates.push_back(absl::StrCat(own_folder_, "/../", place));
  }
  candidates.push_back(absl::StrCat(own_folder_, "/../libexec/hv/", name));
  candidates.push_back(absl::StrCat(own_folder_, "/../../bin/", name));
  return candidates;
}

absl::StatusOr<std::string> Executables::Find(const std::string& name) const {
  const auto candidates = Candidates(name);
  for (const std::string& path : candidates) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) continue;
    if (access(path.c_str(), X_OK) != 0) continue;
    const auto canonical = std::filesystem::canonical(path, error);
    return error ? path : canonical.string();
  }
  return absl::NotFoundError(absl::StrCat("program ", name, " not found; looked for ",
                                          absl::StrJoin(candidates, ", "),
                                          "; give its folder with --libexec"));
}

}  // namespace hv::hvd
