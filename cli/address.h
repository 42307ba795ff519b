// Guest addresses and ranges as people write and read them.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace hv::cli {

struct AddressRange {
  uint64_t address;
  uint64_t bytes;
};

// Hexadecimal, with or without 0x. InvalidArgument: it is none, or more than 64 bits.
absl::StatusOr<uint64_t> ParseAddress(const std::string& text);
// ADDRESS+SIZE, e.g. "0x100000+4K": the size with suffix K, M, G or T, without one in MiB.
// InvalidArgument: says what is possible.
absl::StatusOr<AddressRange> ParseRange(const std::string& text);

std::string ShowAddress(uint64_t address);  // "0x1000"

}  // namespace hv::cli
