// What Linux says of virtualization in files: cpuinfo, the CPUs' model-specific registers, KVM's
// modules and device.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/unique_fd.h"
#include "hvd/virtualization/virtualization_facts.h"

namespace hv::hvd {
namespace {

namespace fs = std::filesystem;

constexpr off_t kIa32FeatureControl = 0x3a;  // Intel SDM vol. 4, table 2-2
constexpr off_t kVmCr = 0xc0010114;          // AMD APM vol. 2, 15.30.1

std::string ReadFile(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::vector<std::string> NamesIn(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void ReadFirmwareRegisters(const std::string& root, VirtualizationFacts& facts) {
  if (!facts.has_vmx && !facts.has_svm) return;
  const off_t number = facts.has_vmx ? kIa32FeatureControl : kVmCr;
  for (const CpuFacts& cpu : facts.cpus) {
    const std::string path = absl::StrCat("/dev/cpu/", cpu.number, "/msr");
    const UniqueFd fd(open((root + path).c_str(), O_RDONLY | O_CLOEXEC));
    uint64_t value = 0;
    if (fd.valid() && pread(fd.get(), &value, sizeof(value), number) == sizeof(value)) {
      facts.firmware_registers.push_back({.cpu = cpu.number, .value = value});
    } else if (facts.firmware_registers_error.empty()) {
      facts.firmware_registers_error = absl::StrCat(path, ": ", std::strerror(errno));
    }
  }
}

void ReadModules(const std::string& root, VirtualizationFacts& facts) {
  const fs::path modules = root + "/sys/module";
  for (const std::string& name : NamesIn(modules)) {
    if (name != "kvm" && !absl::StartsWith(name, "kvm_")) continue;
    facts.modules.push_back(name);
    for (const char* parameter : {"ept", "unrestricted_guest", "npt", "nested"}) {
      const std::string text = ReadFile(modules / name / "parameters" / parameter);
      if (text.empty()) continue;
      facts.module_parameters[absl::StrCat(name, ".", parameter)] =
          std::string(absl::StripAsciiWhitespace(text));
    }
  }
}

// Not getgrgid, which a static program cannot rely on.
std::string GroupName(const std::string& root, gid_t group) {
  for (const absl::string_view line : absl::StrSplit(ReadFile(root + "/etc/group"), '\n')) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ':');
    if (fields.size() >= 3 && fields[2] == absl::StrCat(group)) return std::string(fields[0]);
  }
  return absl::StrCat(group);
}

void ReadDevice(const std::string& root, VirtualizationFacts& facts) {
  std::error_code error;
  facts.device_registered = fs::exists(root + "/sys/class/misc/kvm", error);
  struct stat info;
  if (stat((root + "/dev/kvm").c_str(), &info) != 0) return;
  facts.device = {
      .exists = true, .mode = info.st_mode & 0777, .group = GroupName(root, info.st_gid)};
}

}  // namespace

VirtualizationFacts ReadVirtualizationFiles(const std::string& root, bool has_vmx, bool has_svm) {
  VirtualizationFacts facts{.has_vmx = has_vmx, .has_svm = has_svm};
  facts.cpus = ParseCpuinfo(ReadFile(root + "/proc/cpuinfo"));
  ReadFirmwareRegisters(root, facts);
  ReadModules(root, facts);
  ReadDevice(root, facts);
  return facts;
}

}  // namespace hv::hvd
