// Into KVM_RUN and out of it: a vCPU thread that is in the guest looks at no word and sleeps on
// none, so whoever sets the attention word has to bring it out.
//
//   vCPU thread                          who wants its attention
//   -----------                          -----------------------
//   immediate_exit = 0                   attention = 1           (release)
//   inside = 1               (seq_cst)   full barrier
//   attention?    yes: inside = 0, stay  inside?   no: done, the thread looks before it enters
//   KVM_RUN                              immediate_exit = 1, signal to the thread
//   inside = 0
//
// The exchange of `inside` and the barrier order both sides' store before their load: either the
// thread sees the attention word, or the other sees it inside. A signal that is handled after the
// look and before KVM_RUN has immediate_exit before it, so that KVM_RUN returns at once; one that
// comes later ends KVM_RUN. Either, when the thread is out again, costs one look for nothing.
//
// The flag is set by who kicks and not by the handler: what the thread may do before it enters is
// then no matter of when its handler runs, which ThreadSanitizer puts off until after the call.
//
// Another process does its half with a futex in the vCPU page (abi/vcpu_page.h), and KickWatch
// (hv_kernel/kick_watch.h) turns that into Kick().
#pragma once

#include <linux/kvm.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>

#include "absl/status/status.h"

namespace hv::kvm {

class EntryGate {
 public:
  // The handler of the signal, for the process. Idempotent. Before any thread passes a gate.
  static absl::Status InstallHandler();

  // `inside` is where others look whether a kick is needed; null: only Kick() looks.
  EntryGate(kvm_run& run, const std::atomic<uint32_t>& attention, std::atomic<uint32_t>* inside);
  EntryGate(const EntryGate&) = delete;
  EntryGate& operator=(const EntryGate&) = delete;

  // The vCPU thread. False: attention is wanted; the gate stays closed.
  bool Open();
  void Close() const;
  // While it is closed: KVM_RUN enters no guest until Open().
  void KeepOut() const { SetImmediateExit(1); }
  // Any thread, after a release store to the attention word. Whether the thread was inside.
  bool Kick();

 private:
  void SetImmediateExit(uint8_t value) const;

  kvm_run& run_;
  const std::atomic<uint32_t>& attention_;
  std::atomic<uint32_t> own_inside_{0};
  std::atomic<uint32_t>& inside_;
  std::atomic<pid_t> thread_{0};
};

}  // namespace hv::kvm
