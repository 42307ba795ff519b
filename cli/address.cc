#include "cli/address.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/memory_size.h"

namespace hv::cli {

absl::StatusOr<uint64_t> ParseAddress(const std::string& text) {
  uint64_t address;
  if (text.find_first_of("+- \t") == std::string::npos && absl::SimpleHexAtoi(text, &address)) {
    return address;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("address \"", text, "\": a hexadecimal number of at most 64 bits is wanted"));
}

absl::StatusOr<AddressRange> ParseRange(const std::string& text) {
  const size_t plus = text.find('+');
  if (plus == std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("range \"", text, "\": ADDRESS+SIZE is wanted, e.g. 0x100000+4K"));
  }
  const auto address = ParseAddress(text.substr(0, plus));
  if (!address.ok()) return address.status();
  const auto bytes = ParseMemorySize(text.substr(plus + 1));
  if (!bytes.ok()) return bytes.status();
  return AddressRange{*address, *bytes};
}

std::string ShowAddress(uint64_t address) { return absl::StrCat("0x", absl::Hex(address)); }

}  // namespace hv::cli
