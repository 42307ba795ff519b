#include "hv_kernel/soft/translate/code_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/unique_fd.h"

namespace hv::soft {
namespace {

constexpr size_t kAlignment = 16;

}  // namespace

absl::StatusOr<CodeMemory> CodeMemory::Create(size_t bytes) {
  const UniqueFd fd(memfd_create("hv soft code", MFD_CLOEXEC));
  if (!fd.valid() || ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("code memory of ", bytes, " bytes: ", std::strerror(errno)));
  }
  void* writable = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  void* executable = mmap(nullptr, bytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd.get(), 0);
  if (writable == MAP_FAILED || executable == MAP_FAILED) {
    return absl::ResourceExhaustedError(
        absl::StrCat("mapping code memory of ", bytes, " bytes: ", std::strerror(errno)));
  }
  return CodeMemory(static_cast<uint8_t*>(writable), reinterpret_cast<uint64_t>(executable), bytes);
}

CodeMemory::CodeMemory(CodeMemory&& other) noexcept
    : writable_(std::exchange(other.writable_, nullptr)),
      executable_(other.executable_),
      bytes_(other.bytes_),
      used_(other.used_) {}

CodeMemory::~CodeMemory() {
  if (writable_ == nullptr) return;
  munmap(writable_, bytes_);
  munmap(reinterpret_cast<void*>(executable_), bytes_);
}

uint64_t CodeMemory::Append(std::span<const uint8_t> code) {
  CHECK(code.size() <= free());
  const uint64_t at = next();
  std::memcpy(writable_ + used_, code.data(), code.size());
  used_ = (used_ + code.size() + kAlignment - 1) / kAlignment * kAlignment;
  if (used_ > bytes_) used_ = bytes_;
  return at;
}

}  // namespace hv::soft
