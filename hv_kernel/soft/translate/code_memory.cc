#include "hv_kernel/soft/translate/code_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
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
      kept_(other.kept_),
      oldest_(other.oldest_),
      next_(other.next_) {}

CodeMemory::~CodeMemory() {
  if (writable_ == nullptr) return;
  munmap(writable_, bytes_);
  munmap(reinterpret_cast<void*>(executable_), bytes_);
}

bool CodeMemory::Reserve(size_t bytes) {
  // next_ never comes to equal oldest_ from below, so that equal means empty.
  if (next_ < oldest_) return oldest_ - next_ > bytes;
  if (bytes_ - next_ >= bytes) return true;
  if (oldest_ - kept_ <= bytes) return false;
  next_ = kept_;
  return true;
}

void CodeMemory::Append(size_t bytes) {
  const size_t end = next_ < oldest_ ? oldest_ - 1 : bytes_;
  CHECK(bytes <= end - next_);
  next_ = std::min((next_ + bytes + kAlignment - 1) / kAlignment * kAlignment, end);
}

size_t CodeMemory::used() const {
  return next_ >= oldest_ ? kept_ + next_ - oldest_ : bytes_ - oldest_ + next_;
}

}  // namespace hv::soft
