// The page that KVM and a vCPU thread share: kvm_run, its answers and, behind it, data of port I/O.
#pragma once

#include <linux/kvm.h>
#include <sys/mman.h>

#include <cstddef>
#include <utility>

#include "absl/status/statusor.h"
#include "hv_kernel/kvm/ioctl.h"

namespace hv::kvm {

class RunPage {
 public:
  // `bytes` is KVM_GET_VCPU_MMAP_SIZE.
  static absl::StatusOr<RunPage> Map(int vcpu_fd, size_t bytes) {
    void* page = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_fd, 0);
    if (page == MAP_FAILED) return CallFailed("mmap of kvm_run", errno);
    return RunPage(static_cast<kvm_run*>(page), bytes);
  }
  RunPage(RunPage&& other) noexcept
      : run_(std::exchange(other.run_, nullptr)), bytes_(other.bytes_) {}
  RunPage& operator=(RunPage&&) = delete;
  ~RunPage() {
    if (run_ != nullptr) munmap(run_, bytes_);
  }

  kvm_run& operator*() const { return *run_; }
  kvm_run* operator->() const { return run_; }

 private:
  RunPage(kvm_run* run, size_t bytes) : run_(run), bytes_(bytes) {}

  kvm_run* run_;
  size_t bytes_;
};

}  // namespace hv::kvm
