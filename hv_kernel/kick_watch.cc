#include "hv_kernel/kick_watch.h"

#include <sys/prctl.h>

#include "ring/wake.h"

namespace hv {

KickWatch::KickWatch(hv_vcpu_page& page, VcpuEngine& engine)
    : page_(page), engine_(engine), thread_([this] { Watch(); }) {}

KickWatch::~KickWatch() {
  done_.store(true, std::memory_order_relaxed);  // ordered by the raise of the word
  ring::Waker(&page_.kicks, &page_.inside).WakeAlways();
  thread_.join();
}

void KickWatch::Watch() {
  prctl(PR_SET_NAME, "kick watch");
  const ring::WakeWord kicks(&page_.kicks);
  for (;;) {
    const uint32_t seen = kicks.Look();
    if (done_.load(std::memory_order_relaxed)) return;
    // Pairs with the release store of who raised the word. Zero: the vCPU thread has looked.
    if (std::atomic_ref<uint32_t>(page_.attention).load(std::memory_order_acquire) != 0) {
      engine_.Kick();
    }
    kicks.WaitWhile(seen);
  }
}

}  // namespace hv
