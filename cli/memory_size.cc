#include "cli/memory_size.h"

#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace hv::cli {
namespace {

constexpr char kUnits[] = "KMGT";
constexpr unsigned kBitsAUnit = 10;

absl::Status Malformed(const std::string& text) {
  return absl::InvalidArgumentError(absl::StrCat(
      "memory size '", text, "': give a number of MiB, or one with suffix K, M, G or T"));
}

}  // namespace

absl::StatusOr<uint64_t> ParseMemorySize(const std::string& text) {
  uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc()) return Malformed(text);
  unsigned shift = 2 * kBitsAUnit;
  if (rest != end) {
    const char* unit = std::strchr(kUnits, std::toupper(static_cast<unsigned char>(*rest)));
    if (unit == nullptr || *unit == '\0' || rest + 1 != end) return Malformed(text);
    shift = kBitsAUnit * static_cast<unsigned>(unit - kUnits + 1);
  }
  if (number > (UINT64_MAX >> shift)) return Malformed(text);
  return number << shift;
}

std::string ShowBytes(uint64_t bytes) {
  constexpr const char* kNames[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  double value = static_cast<double>(bytes);
  while (value >= 1024 && unit + 1 < std::size(kNames)) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  const bool whole = value == static_cast<double>(static_cast<uint64_t>(value));
  std::snprintf(text, sizeof(text), whole ? "%.0f %s" : "%.1f %s", value, kNames[unit]);
  return text;
}

}  // namespace hv::cli
