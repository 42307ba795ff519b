#include "hv_kernel/kvm/late_writes.h"

#include <sys/mman.h>

#include <array>

#include "base/check.h"
#include "hv_kernel/kvm/ioctl.h"

namespace hv::kvm {
namespace {

constexpr uint64_t kPageBytes = 4096;
// Accesses handed over at once.
constexpr size_t kBatch = 64;

}  // namespace

void LateWrites::Unmap::operator()(LateRingPage* page) const { munmap(page, kPageBytes); }

absl::Status LateWrites::Map(int vcpu_fd) {
  if (mapped_ != nullptr) return absl::OkStatus();
  // A mapping of its own: that of a run page ends with its vCPU.
  void* page = mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_fd,
                    KVM_COALESCED_MMIO_PAGE_OFFSET * kPageBytes);
  if (page == MAP_FAILED) return CallFailed("mmap of the ring of coalesced writes", errno);
  mapped_.reset(static_cast<LateRingPage*>(page));
  Attach(mapped_.get());
  return absl::OkStatus();
}

void LateWrites::SetActive(bool active) {
  active_ = active;
  if (active) watch_.Start();
}

void LateWrites::Enter() {
  if (!active_) return;
  // With the watch's look at the count (late_watch.h); in the order of all looks of Serve.
  inside_.fetch_add(1, std::memory_order_seq_cst);
  watch_.Wake();
}

void LateWrites::Leave(LateWriteSink* sink) {
  if (!active_) return;
  if (!ring_.Empty()) {
    CHECK(sink != nullptr);
    Serve(*sink);
  }
  inside_.fetch_sub(1, std::memory_order_seq_cst);
}

void LateWrites::Serve(LateWriteSink& sink) {
  std::lock_guard lock(mutex_);
  // What others write meanwhile is theirs to serve: this vCPU has written nothing past the end.
  const uint32_t end = ring_.End();
  const bool anyones = inside_.load(std::memory_order_seq_cst) != 1;
  while (ring_.next() != end) {
    std::array<Exit, kBatch> writes;
    const size_t count = ring_.Take(end, writes);
    sink.Serve({writes.data(), count}, anyones);
    served_.fetch_add(count, std::memory_order_relaxed);
    ring_.GiveBack();
  }
}

}  // namespace hv::kvm
