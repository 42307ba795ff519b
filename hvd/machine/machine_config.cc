#include "hvd/machine/machine_config.h"

#include <algorithm>

#include "abi/endpoint.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "hvd/virtualization/kvm_probe.h"
#include "hvd/virtualization/kvm_verdict.h"

namespace hv::hvd {
namespace {

bool IsNameByte(char byte) {
  return absl::ascii_isalnum(static_cast<unsigned char>(byte)) || byte == '_' || byte == '.' ||
         byte == '-';
}

absl::Status ValidatePath(const char* field, const std::string& path) {
  if (path.empty() || path[0] != '/') {
    return absl::InvalidArgumentError(absl::StrCat(field, " '", path, "': give an absolute path"));
  }
  if (path.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": contains a NUL byte"));
  }
  return absl::OkStatus();
}

absl::Status ValidateCommandLine(const char* field, const std::string& text) {
  if (text.size() > kLongestCommandLine) {
    return absl::InvalidArgumentError(absl::StrCat(field, " has ", text.size(), " bytes, at most ",
                                                   kLongestCommandLine, " are possible"));
  }
  if (text.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": contains a NUL byte"));
  }
  return absl::OkStatus();
}

absl::Status ValidateFiles(const hv::v1::MachineConfig& config) {
  if (auto status = ValidatePath("kernel", config.kernel()); !status.ok()) return status;
  if (!config.initrd().empty()) {
    if (auto status = ValidatePath("initrd", config.initrd()); !status.ok()) return status;
  }
  if (config.modules_size() > kMostModules) {
    return absl::InvalidArgumentError(absl::StrCat(
        "modules: ", config.modules_size(), " given, at most ", kMostModules, " are possible"));
  }
  for (const auto& module : config.modules()) {
    if (auto status = ValidatePath("module", module.path()); !status.ok()) return status;
    if (auto status = ValidateCommandLine("module command line", module.command_line());
        !status.ok()) {
      return status;
    }
  }
  return ValidateCommandLine("command_line", config.command_line());
}

absl::Status ValidateSizes(const hv::v1::MachineConfig& config) {
  if (config.cpus() < 1 || config.cpus() > HV_MAX_VCPUS) {
    return absl::InvalidArgumentError(
        absl::StrCat("cpus ", config.cpus(), ": 1 to ", HV_MAX_VCPUS, " are possible"));
  }
  const uint64_t memory = config.memory_bytes();
  if (memory < kLeastMemory || memory > kMostMemory || memory % kMebibyte != 0) {
    return absl::InvalidArgumentError(absl::StrCat("memory_bytes ", memory, ": whole MiB from ",
                                                   kLeastMemory / kMebibyte, " MiB to ",
                                                   kMostMemory / kMebibyte, " MiB are possible"));
  }
  if (config.hang_timeout_ms() < kLeastHangTimeoutMs ||
      config.hang_timeout_ms() > kMostHangTimeoutMs) {
    return absl::InvalidArgumentError(absl::StrCat("hang_timeout_ms ", config.hang_timeout_ms(),
                                                   ": ", kLeastHangTimeoutMs, " to ",
                                                   kMostHangTimeoutMs, " are possible"));
  }
  const uint64_t translations = config.translation_cache_bytes();
  if (translations < kLeastTranslationCache || translations > kMostTranslationCache ||
      translations % kMebibyte != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("translation_cache_bytes ", translations, ": whole MiB from ",
                     kLeastTranslationCache / kMebibyte, " MiB to ",
                     kMostTranslationCache / kMebibyte, " MiB are possible"));
  }
  return absl::OkStatus();
}

}  // namespace

const char* DefaultEngine() {
  return EngineForAuto(JudgeKvm(ProbeKvm("/dev/kvm", HostClocks())).verdict);
}

absl::Status ValidateName(const std::string& name) {
  if (!name.empty() && name.size() <= kLongestName &&
      std::all_of(name.begin(), name.end(), IsNameByte) &&
      absl::ascii_isalnum(static_cast<unsigned char>(name[0]))) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("name '", name, "': 1 to ", kLongestName,
                   " of a-z A-Z 0-9 _ . - with a letter or digit first"));
}

absl::StatusOr<hv::v1::MachineConfig> ValidateConfig(const hv::v1::MachineConfig& given) {
  hv::v1::MachineConfig config = given;
  if (config.cpus() == 0) config.set_cpus(1);
  if (config.memory_bytes() == 0) config.set_memory_bytes(kDefaultMemory);
  if (config.hang_timeout_ms() == 0) config.set_hang_timeout_ms(kDefaultHangTimeoutMs);
  if (config.translation_cache_bytes() == 0) {
    config.set_translation_cache_bytes(kDefaultTranslationCache);
  }
  if (config.engine().empty()) config.set_engine("auto");
  if (config.paging().empty()) config.set_paging("auto");
  if (config.on_reset() == hv::v1::ON_RESET_UNSPECIFIED) {
    config.set_on_reset(hv::v1::ON_RESET_RESTART);
  }
  if (auto status = ValidateName(config.name()); !status.ok()) return status;
  if (auto status = ValidateFiles(config); !status.ok()) return status;
  if (auto status = ValidateSizes(config); !status.ok()) return status;
  if (config.paging() != "auto" && config.paging() != kDemandPaging &&
      config.paging() != kHostPaging) {
    return absl::InvalidArgumentError(
        absl::StrCat("paging '", config.paging(), "': there are auto, demand and host"));
  }
  if (config.engine() != "auto" && config.engine() != "soft" && config.engine() != "kvm") {
    return absl::InvalidArgumentError(
        absl::StrCat("engine '", config.engine(), "': there are auto, soft and kvm"));
  }
  if (!hv::v1::OnReset_IsValid(config.on_reset())) {
    return absl::InvalidArgumentError(
        absl::StrCat("on_reset ", static_cast<int>(config.on_reset()), ": not a known value"));
  }
  return config;
}

}  // namespace hv::hvd
