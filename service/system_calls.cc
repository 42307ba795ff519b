// The part of the sandbox that comes last: the system-call allow-list.
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "service/sandbox.h"

namespace hv::service {
namespace {

// What a service and gRPC's threads in it need once everything is open and mapped.
// clang-format off
constexpr int kAllowed[] = {
    // Talking on descriptors it has.
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg), SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(shutdown), SCMP_SYS(close),
    SCMP_SYS(getsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(fstat),
    SCMP_SYS(lseek),
    // Waiting.
    SCMP_SYS(futex), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_create1), SCMP_SYS(eventfd2), SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep), SCMP_SYS(sched_yield), SCMP_SYS(restart_syscall),
    // Time.
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday),
    // Its own memory and threads.
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mincore),
    SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(gettid), SCMP_SYS(getpid),
    SCMP_SYS(membarrier), SCMP_SYS(set_tid_address),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(sigaltstack),
    SCMP_SYS(getrandom), SCMP_SYS(sysinfo), SCMP_SYS(exit), SCMP_SYS(exit_group),
};
// clang-format on

class Filter {
 public:
  Filter() : context_(seccomp_init(SCMP_ACT_ERRNO(EPERM))) { CHECK(context_ != nullptr); }
  ~Filter() { seccomp_release(context_); }

  void Allow(int call) { Rule(SCMP_ACT_ALLOW, call, {}); }
  void Rule(uint32_t action, int call, std::vector<scmp_arg_cmp> arguments) {
    CHECK(seccomp_rule_add_array(context_, action, call, arguments.size(), arguments.data()) == 0);
  }
  int Load() {
    seccomp_attr_set(context_, SCMP_FLTATR_CTL_TSYNC, 1);
    return seccomp_load(context_);
  }

 private:
  scmp_filter_ctx context_;
};

}  // namespace

void CloseSystemCalls(SandboxReport& report, std::span<const int> also,
                      std::span<const uint64_t> requests) {
  Filter filter;
  for (int call : kAllowed) filter.Allow(call);
  for (int call : also) filter.Allow(call);
  for (uint64_t request : requests) {
    filter.Rule(SCMP_ACT_ALLOW, SCMP_SYS(ioctl), {SCMP_A1(SCMP_CMP_EQ, request)});
  }
  // Memory, but none of it executable.
  filter.Rule(SCMP_ACT_ALLOW, SCMP_SYS(mmap), {SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)});
  filter.Rule(SCMP_ACT_ALLOW, SCMP_SYS(mprotect), {SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)});
  // Threads, but no processes. clone3 hides its flags in memory: told to be absent, glibc uses
  // clone.
  filter.Rule(SCMP_ACT_ALLOW, SCMP_SYS(clone),
              {SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)});
  filter.Rule(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), {});
  // How many processors there are; of another process it would tell whether that exists.
  // pthread_getattr_np asks by thread id and goes without where the call is absent.
  filter.Rule(SCMP_ACT_ALLOW, SCMP_SYS(sched_getaffinity), {SCMP_A0(SCMP_CMP_EQ, 0)});
  filter.Rule(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(sched_getaffinity), {SCMP_A0(SCMP_CMP_NE, 0)});
  // Signals to itself alone (abort).
  filter.Rule(SCMP_ACT_ALLOW, SCMP_SYS(tgkill),
              {SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(getpid()))});
  filter.Rule(SCMP_ACT_ALLOW, SCMP_SYS(fcntl), {SCMP_A1(SCMP_CMP_EQ, F_GETFL)});
  filter.Rule(SCMP_ACT_ALLOW, SCMP_SYS(fcntl), {SCMP_A1(SCMP_CMP_EQ, F_SETFL)});
  filter.Rule(SCMP_ACT_ALLOW, SCMP_SYS(fcntl), {SCMP_A1(SCMP_CMP_EQ, F_GETFD)});
  filter.Rule(SCMP_ACT_ALLOW, SCMP_SYS(fcntl), {SCMP_A1(SCMP_CMP_EQ, F_GET_SEALS)});
  filter.Rule(SCMP_ACT_ALLOW, SCMP_SYS(prctl), {SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME)});
  const int error = filter.Load();
  if (error == 0) {
    report.in_force.emplace_back("seccomp");
  } else {
    report.missing.push_back(absl::StrCat("seccomp: ", std::strerror(-error)));
  }
}

}  // namespace hv::service
