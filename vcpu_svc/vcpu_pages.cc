#include "vcpu_svc/vcpu_pages.h"

#include <atomic>

#include "vcpu_svc/event_word.h"

namespace hv::vcpu {

std::optional<uint64_t> VcpuPages::Taken(uint32_t vcpu) const {
  if (vcpu >= pages_.size()) return std::nullopt;
  // Pairs with the release store in hv_kernel's injector.
  return std::atomic_ref<uint64_t>(pages_[vcpu]->taken).load(std::memory_order_acquire);
}

void VcpuPages::Show(uint32_t vcpu, const VcpuState& state) {
  hv_vcpu_page& page = *pages_[vcpu];
  std::atomic_ref<uint64_t> pending(page.pending);
  std::atomic_ref<uint32_t> acknowledged(page.acknowledged);
  if (shown_[vcpu] && pending.load(std::memory_order_relaxed) == state.published &&
      acknowledged.load(std::memory_order_relaxed) == state.taken_generation) {
    return;
  }
  shown_[vcpu] = true;
  acknowledged.store(state.taken_generation,
                     std::memory_order_relaxed);  // ordered by the next store
  // Pairs with the acquire load in hv_kernel's injector.
  pending.store(state.published, std::memory_order_release);
  const EventWord published(state.published);
  if (!published.any() || published.generation() == state.taken_generation) return;
  // Pairs with the exchange in hv_kernel's run loop.
  std::atomic_ref<uint32_t>(page.attention).store(1, std::memory_order_release);
  wake_(vcpu);
}

}  // namespace hv::vcpu
