// The shared pages in which vCPU threads are told what to take and tell what they took
// (abi/vcpu_page.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "abi/vcpu_page.h"
#include "vcpu_svc/vcpu_state.h"

namespace hv::vcpu {

class VcpuPages {
 public:
  // No pages at all, for who looks at the state alone.
  VcpuPages() = default;
  // By vCPU. `wake` wakes a vCPU thread that sleeps and kicks one that is in the guest.
  VcpuPages(std::vector<hv_vcpu_page*> pages, std::function<void(uint32_t vcpu)> wake)
      : pages_(std::move(pages)), wake_(std::move(wake)), shown_(pages_.size()) {}

  // What the vCPU took last; foreign, to be checked. Nothing without a page.
  std::optional<uint64_t> Taken(uint32_t vcpu) const;

  // Makes the page of `vcpu` say what the state does, and has the vCPU look when there is something
  // new to take, or when this process has not shown it anything before: the one that did may have
  // died before it woke anybody. Stores nothing that is there already: the vCPU polls the same
  // cache line.
  void Show(uint32_t vcpu, const VcpuState& state);

  uint32_t count() const { return static_cast<uint32_t>(pages_.size()); }

 private:
  std::vector<hv_vcpu_page*> pages_;
  std::function<void(uint32_t vcpu)> wake_;
  std::vector<bool> shown_;  // by vCPU: by this process
};

}  // namespace hv::vcpu
