#include "hv_kernel/kvm/dirty_ring.h"

#include <sys/mman.h>

#include <utility>

#include "hv_kernel/kvm/ioctl.h"

namespace hv::kvm {
namespace {

constexpr uint64_t kPageBytes = 4096;

}  // namespace

absl::StatusOr<DirtyRing> DirtyRing::Map(int vcpu_fd, uint32_t bytes) {
  void* cells = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_fd,
                     KVM_DIRTY_LOG_PAGE_OFFSET * kPageBytes);
  if (cells == MAP_FAILED) return CallFailed("mmap of the dirty ring", errno);
  return DirtyRing(static_cast<kvm_dirty_gfn*>(cells), bytes / sizeof(kvm_dirty_gfn));
}

DirtyRing::DirtyRing(DirtyRing&& other) noexcept
    : cells_(std::exchange(other.cells_, nullptr)), count_(other.count_), next_(other.next_) {}

DirtyRing::~DirtyRing() {
  if (cells_ != nullptr) munmap(cells_, count_ * sizeof(kvm_dirty_gfn));
}

bool DirtyRing::Collect(const MemorySlots& slots, std::atomic<uint64_t>* log) {
  for (uint32_t collected = 0;; ++collected, ++next_) {
    kvm_dirty_gfn& cell = cells_[next_ & (count_ - 1)];
    std::atomic_ref<uint32_t> flags(cell.flags);
    // Pairs with KVM's release store when it has written the cell.
    if ((flags.load(std::memory_order_acquire) & KVM_DIRTY_GFN_F_DIRTY) == 0) {
      return collected < count_;
    }
    const hv_memory_slot& slot = slots.slot(cell.slot & 0xffff);  // above: the address space, 0
    const uint64_t page = slot.offset / kPageBytes + cell.offset;
    if (log != nullptr && cell.offset < slot.bytes / kPageBytes) {
      log[page / 64].fetch_or(1ull << (page % 64), std::memory_order_relaxed);
    }
    // Pairs with KVM's acquire load when it takes cells back.
    flags.store(KVM_DIRTY_GFN_F_RESET, std::memory_order_release);
  }
}

void DirtyRing::SkipSome() {
  for (uint32_t end = next_ + count_ / 4; next_ != end; ++next_) {
    std::atomic_ref<uint32_t>(cells_[next_ & (count_ - 1)].flags)
        .store(KVM_DIRTY_GFN_F_RESET, std::memory_order_release);  // as in Collect
  }
}

}  // namespace hv::kvm
