// The calls that the pager makes on a userfaultfd, and the seam at which tests bring their own.
#pragma once

#include <linux/userfaultfd.h>

#include <cstdint>
#include <span>

#include "base/unique_fd.h"

namespace hv::mmu {

// What a request did: how much, and 0 or errno for why not all.
struct Done {
  uint64_t bytes = 0;
  int error = 0;
};

// What a write to a page does that is there.
enum class Writes {
  kFree,  // it is done
  kTold   // its thread waits, as for a missing page: the page is write-protected
};

// Addresses are hv_kernel's. ioctl_userfaultfd(2) has the errors. Thread-safe, but for Read.
class Userfault {
 public:
  virtual ~Userfault() = default;
  // Waits for events. False: there will never be any.
  virtual bool Await() = 0;
  // Takes the events that are there, as many as fit. -1: none can be read, errno says why.
  virtual int Read(std::span<uffd_msg> events) = 0;
  // Gives zeroed pages from the first on, up to one that is there already, or fewer, and wakes who
  // waits.
  virtual Done GiveZeroPages(uint64_t address, uint64_t bytes, Writes writes) = 0;
  // Of pages that are there and of those that will be, but for what GiveZeroPages says then; kFree
  // wakes who waits. 0 or errno.
  virtual int SetWrites(uint64_t address, uint64_t bytes, Writes writes) = 0;
  // Has who waits there try again.
  virtual void Wake(uint64_t address, uint64_t bytes) = 0;
};

class UserfaultDescriptor final : public Userfault {
 public:
  explicit UserfaultDescriptor(UniqueFd fd) : fd_(std::move(fd)) {}
  bool Await() override;
  int Read(std::span<uffd_msg> events) override;
  Done GiveZeroPages(uint64_t address, uint64_t bytes, Writes writes) override;
  int SetWrites(uint64_t address, uint64_t bytes, Writes writes) override;
  void Wake(uint64_t address, uint64_t bytes) override;

 private:
  const UniqueFd fd_;
};

// Those of ioctl(2) that UserfaultDescriptor makes.
std::span<const uint64_t> UserfaultRequests();

}  // namespace hv::mmu
