#include "ring/segment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/interprocess_fwd.hpp>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace hv::ring {
namespace {

// Boost.Interprocess takes anything with get_mapping_handle().
class BorrowedFd {
 public:
  explicit BorrowedFd(int fd) : fd_(fd) {}
  boost::interprocess::mapping_handle_t get_mapping_handle() const {
    return boost::interprocess::ipcdetail::mapping_handle_from_file_handle(fd_);
  }

 private:
  int fd_;
};

}  // namespace

absl::StatusOr<UniqueFd> CreateSegment(const std::string& name, uint64_t bytes) {
  UniqueFd fd(memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("memfd_create(", name, "): ", std::strerror(errno)));
  }
  if (ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("segment ", name, " of ", bytes, " bytes: ", std::strerror(errno)));
  }
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
    return absl::InternalError(absl::StrCat("sealing ", name, ": ", std::strerror(errno)));
  }
  return fd;
}

absl::StatusOr<Mapping> Mapping::Map(int fd, uint64_t bytes, bool writable) {
  // Not fstat: glibc's asks by path, which the sandbox of a service refuses.
  const off_t size = lseek(fd, 0, SEEK_END);
  if (size < 0) {
    return absl::InvalidArgumentError(absl::StrCat("segment: lseek: ", std::strerror(errno)));
  }
  if (bytes == 0 || static_cast<uint64_t>(size) < bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("segment: file of ", size, " bytes, the manifest says ", bytes));
  }
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
    return absl::InvalidArgumentError("segment: not sealed against shrinking");
  }
  Mapping mapping;
  try {
    mapping.region_ = boost::interprocess::mapped_region(
        BorrowedFd(fd), writable ? boost::interprocess::read_write : boost::interprocess::read_only,
        0, bytes, nullptr, MAP_NORESERVE);
  } catch (const boost::interprocess::interprocess_exception& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("segment: mapping ", bytes, " bytes: ", error.what()));
  }
  return mapping;
}

}  // namespace hv::ring
