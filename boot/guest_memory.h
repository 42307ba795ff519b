// Guest RAM as loaders see it: by guest-physical address, every access checked.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <span>

#include "abi/platform.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hv::boot {

// RAM lies from 0 to at most HV_LOW_RAM_END and, for what is left, from 4 GiB on.
class GuestMemory {
 public:
  explicit GuestMemory(std::span<std::byte> ram) : ram_(ram) {}

  uint64_t low_bytes() const { return ram_.size() < HV_LOW_RAM_END ? ram_.size() : HV_LOW_RAM_END; }
  uint64_t high_bytes() const { return ram_.size() - low_bytes(); }

  // The host memory of [address, address + bytes) below 4 GiB; empty if it is not all RAM.
  std::span<std::byte> Low(uint64_t address, uint64_t bytes) const {
    if (address > low_bytes() || bytes > low_bytes() - address) return {};
    return ram_.subspan(address, bytes);
  }

  absl::Status Write(uint64_t address, std::span<const std::byte> bytes, const char* what) const {
    const auto to = Low(address, bytes.size());
    if (to.size() != bytes.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": ", bytes.size(), " bytes at 0x", absl::Hex(address),
                       " do not fit the machine's memory of ", ram_.size() >> 20,
                       " MiB; give it more with --memory"));
    }
    if (bytes.size() >= kManyBytes) GetPages(to);
    if (!bytes.empty()) std::memcpy(to.data(), bytes.data(), bytes.size());
    return absl::OkStatus();
  }
  // For structures the loader itself places in low memory, which every machine has.
  template <typename T>
  void Put(uint64_t address, const T& value) const {
    const auto to = Low(address, sizeof(T));
    if (to.size() == sizeof(T)) std::memcpy(to.data(), &value, sizeof(T));
  }

 private:
  static constexpr size_t kManyBytes = size_t{1} << 20;

  // All at once, as a fault for each page takes longer than the copy. Only advice: Linux has it
  // since 5.14.
  static void GetPages(std::span<std::byte> to) {
    const auto first = reinterpret_cast<uintptr_t>(to.data()) & ~uintptr_t{0xfff};
    const auto end = reinterpret_cast<uintptr_t>(to.data() + to.size());
    (void)madvise(reinterpret_cast<void*>(first), end - first, MADV_POPULATE_WRITE);
  }

  std::span<std::byte> ram_;
};

// Where the loader puts what it makes, all below the EBDA and used by the guest only at its start.
inline constexpr uint64_t kGdtAt = 0x500;
inline constexpr uint64_t kZeroPageAt = 0x7000;
inline constexpr uint64_t kBootStackTop = 0x8ff0;
inline constexpr uint64_t kPageTablesAt = 0x9000;  // six pages
inline constexpr uint64_t kBootDataAt = 0x10000;   // command lines, lists, start structures
inline constexpr uint64_t kBootDataEnd = 0x90000;
inline constexpr uint64_t kLowMemoryEnd = 0x9fc00;
inline constexpr uint64_t kHighMemoryStart = 0x100000;
inline constexpr uint64_t kProtectedModeCodeAt = kHighMemoryStart;  // of a bzImage, as ever

}  // namespace hv::boot
