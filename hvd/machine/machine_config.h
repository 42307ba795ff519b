// What a machine may be configured as.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "proto/hv/v1/machine.pb.h"

namespace hv::hvd {

inline constexpr uint64_t kMebibyte = 1 << 20;
inline constexpr uint64_t kLeastMemory = 4 * kMebibyte;
inline constexpr uint64_t kMostMemory = 1024 * 1024 * kMebibyte;
inline constexpr uint64_t kDefaultMemory = 512 * kMebibyte;
inline constexpr int kMostModules = 64;
inline constexpr size_t kLongestName = 63;
inline constexpr size_t kLongestCommandLine = 4095;
inline constexpr uint32_t kLeastHangTimeoutMs = 10;
inline constexpr uint32_t kMostHangTimeoutMs = 60'000;
inline constexpr uint32_t kDefaultHangTimeoutMs = 50;
inline constexpr uint64_t kLeastTranslationCache = kMebibyte;
inline constexpr uint64_t kMostTranslationCache = 1024 * kMebibyte;
inline constexpr uint64_t kDefaultTranslationCache = 64 * kMebibyte;

// MachineConfig.paging, beside "auto".
inline constexpr char kDemandPaging[] = "demand";
inline constexpr char kHostPaging[] = "host";

// Checks all that can be checked without looking at the host and fills in defaults. InvalidArgument
// names the field, its value and what is possible.
absl::StatusOr<hv::v1::MachineConfig> ValidateConfig(const hv::v1::MachineConfig& given);

// 1 to 63 of a-z A-Z 0-9 _ . - with a letter or digit first.
absl::Status ValidateName(const std::string& name);

// The engine that "auto" stands for on this host. Where there is a KVM, runs a guest of a few
// instructions to find out, which takes some 5 ms.
const char* DefaultEngine();

}  // namespace hv::hvd
