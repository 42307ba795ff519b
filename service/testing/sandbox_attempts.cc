#include "service/testing/sandbox_attempts.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace hv::service {
namespace {

// The raw call: glibc must not refuse, rewrite or cache anything.
template <typename... Arguments>
int Call(long number, Arguments... arguments) {
  return syscall(number, arguments...) < 0 ? errno : 0;
}

// For calls that make a child: it ends at once, and the caller waits for it.
template <typename... Arguments>
int CallForChild(long number, Arguments... arguments) {
  const long child = syscall(number, arguments...);
  if (child < 0) return errno;
  if (child == 0) syscall(SYS_exit_group, 0);
  syscall(SYS_wait4, child, nullptr, 0, nullptr);
  return 0;
}

int Exec() {
  const char* const arguments[] = {"/bin/true", nullptr};
  const char* const environment[] = {nullptr};
  return Call(SYS_execve, "/bin/true", arguments, environment);
}

int ExecAt() {
  const char* const arguments[] = {"/bin/true", nullptr};
  const char* const environment[] = {nullptr};
  return Call(SYS_execveat, AT_FDCWD, "/bin/true", arguments, environment, 0);
}

int ReadOther(pid_t victim) {
  char byte;
  iovec here{&byte, 1};
  // The victim was forked: what is mapped here is mapped there.
  static char there_too;
  iovec there{&there_too, 1};
  return Call(SYS_process_vm_readv, victim, &here, 1, &there, 1, 0);
}

int WriteOther(pid_t victim) {
  char byte = 0;
  iovec here{&byte, 1};
  static char there_too;
  iovec there{&there_too, 1};
  return Call(SYS_process_vm_writev, victim, &here, 1, &there, 1, 0);
}

int MapExecutable() {
  return Call(SYS_mmap, nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

int MakeExecutable(long number) {
  const long page =
      syscall(SYS_mmap, nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page < 0) return 0;  // memory of its own is allowed: a refusal here would hide the answer
  return Call(number, page, 4096, PROT_READ | PROT_EXEC, -1);
}

int Clone3() {
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  return CallForChild(SYS_clone3, &arguments, sizeof(arguments));
}

int IoUring() {
  io_uring_params parameters{};
  return Call(SYS_io_uring_setup, 4, &parameters);
}

int PerfEvent() {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof(attributes);
  attributes.config = PERF_COUNT_SW_CPU_CLOCK;
  return Call(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

int Bpf() {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = 4;
  attributes.value_size = 4;
  attributes.max_entries = 1;
  return Call(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes));
}

int OpenAt2() {
  const uint64_t how[3] = {O_RDONLY, 0, 0};  // struct open_how
  return Call(SYS_openat2, AT_FDCWD, "/etc/passwd", how, sizeof(how));
}

int Sockets(int family, int type) { return Call(SYS_socket, family, type, 0); }

int SocketPair() {
  int pair[2];
  return Call(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pair);
}

int Pipe() {
  int pair[2];
  return Call(SYS_pipe2, pair, 0);
}

int StatPath() {
  struct stat info;
  return Call(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &info, 0);
}

int ReadLink() {
  char text[256];
  return Call(SYS_readlink, "/proc/self/exe", text, sizeof(text));
}

int LimitsOf(pid_t victim) {
  rlimit limits;
  return Call(SYS_prlimit64, victim, RLIMIT_NOFILE, nullptr, &limits);
}

int AffinityOf(pid_t victim) {
  cpu_set_t set;
  return Call(SYS_sched_getaffinity, victim, sizeof(set), &set);
}

constexpr Attempt kAttempts[] = {
    // Files.
    {"open", [](pid_t) { return Call(SYS_open, "/etc/passwd", O_RDONLY); }, true, EPERM},
    {"openat", [](pid_t) { return Call(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY); }, true,
     EPERM},
    {"openat2", [](pid_t) { return OpenAt2(); }, true, EPERM},
    {"creat", [](pid_t) { return Call(SYS_creat, "/dev/shm/hv_attempt", 0600); }, false, EPERM},
    {"open own memory", [](pid_t) { return Call(SYS_open, "/proc/self/mem", O_RDWR); }, true,
     EPERM},
    {"stat", [](pid_t) { return StatPath(); }, true, EPERM},
    {"readlink", [](pid_t) { return ReadLink(); }, true, EPERM},
    {"access", [](pid_t) { return Call(SYS_access, "/etc/passwd", F_OK); }, true, EPERM},
    {"chdir", [](pid_t) { return Call(SYS_chdir, "/"); }, true, EPERM},
    {"mkdir", [](pid_t) { return Call(SYS_mkdir, "/hv_attempt", 0700); }, false, EPERM},
    {"unlink", [](pid_t) { return Call(SYS_unlink, "/hv_attempt"); }, false, EPERM},
    {"mknod", [](pid_t) { return Call(SYS_mknod, "/hv_attempt", S_IFCHR, 0); }, false, EPERM},
    {"mount", [](pid_t) { return Call(SYS_mount, "x", "/", "proc", 0, nullptr); }, false, EPERM},
    {"chroot", [](pid_t) { return Call(SYS_chroot, "/"); }, false, EPERM},
    {"memfd_create", [](pid_t) { return Call(SYS_memfd_create, "x", 0); }, true, EPERM},
    {"inotify_init1", [](pid_t) { return Call(SYS_inotify_init1, 0); }, true, EPERM},
    {"dup", [](pid_t) { return Call(SYS_dup, 2); }, true, EPERM},
    {"fcntl(F_DUPFD)", [](pid_t) { return Call(SYS_fcntl, 2, F_DUPFD, 10); }, true, EPERM},
    {"ioctl", [](pid_t) { return Call(SYS_ioctl, 2, TIOCSTI, "x"); }, false, EPERM},
    {"io_uring_setup", [](pid_t) { return IoUring(); }, false, EPERM},
    // Sockets and other ways to talk.
    {"internet socket", [](pid_t) { return Sockets(AF_INET, SOCK_STREAM); }, true, EPERM},
    {"Unix socket", [](pid_t) { return Sockets(AF_UNIX, SOCK_STREAM); }, true, EPERM},
    {"netlink socket", [](pid_t) { return Sockets(AF_NETLINK, SOCK_RAW); }, true, EPERM},
    {"socketpair", [](pid_t) { return SocketPair(); }, true, EPERM},
    {"pipe", [](pid_t) { return Pipe(); }, true, EPERM},
    {"connect", [](pid_t) { return Call(SYS_connect, 2, nullptr, 0); }, false, EPERM},
    {"bind", [](pid_t) { return Call(SYS_bind, 2, nullptr, 0); }, false, EPERM},
    {"shmget", [](pid_t) { return Call(SYS_shmget, IPC_PRIVATE, 4096, 0600); }, false, EPERM},
    {"shmat", [](pid_t) { return Call(SYS_shmat, 0, nullptr, 0); }, false, EPERM},
    {"msgget", [](pid_t) { return Call(SYS_msgget, IPC_PRIVATE, 0600); }, false, EPERM},
    // Processes.
    {"fork", [](pid_t) { return CallForChild(SYS_fork); }, true, EPERM},
    {"clone", [](pid_t) { return CallForChild(SYS_clone, SIGCHLD, 0, 0, 0, 0); }, true, EPERM},
    {"clone3", [](pid_t) { return Clone3(); }, false, ENOSYS},
    {"execve", [](pid_t) { return Exec(); }, true, EPERM},
    {"execveat", [](pid_t) { return ExecAt(); }, true, EPERM},
    {"ptrace(TRACEME)", [](pid_t) { return Call(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0); }, false,
     EPERM},
    {"ptrace(SEIZE)", [](pid_t victim) { return Call(SYS_ptrace, PTRACE_SEIZE, victim, 0, 0); },
     false, EPERM},
    {"process_vm_readv", ReadOther, false, EPERM},
    {"process_vm_writev", WriteOther, false, EPERM},
    {"kill", [](pid_t victim) { return Call(SYS_kill, victim, 0); }, true, EPERM},
    {"tgkill", [](pid_t victim) { return Call(SYS_tgkill, victim, victim, 0); }, true, EPERM},
    {"pidfd_open", [](pid_t victim) { return Call(SYS_pidfd_open, victim, 0); }, true, EPERM},
    {"getpgid", [](pid_t victim) { return Call(SYS_getpgid, victim); }, true, EPERM},
    {"prlimit64", LimitsOf, true, EPERM},
    {"sched_getaffinity", AffinityOf, true, ENOSYS},
    {"sched_getscheduler", [](pid_t victim) { return Call(SYS_sched_getscheduler, victim); }, true,
     EPERM},
    {"wait4", [](pid_t) { return Call(SYS_wait4, -1, nullptr, WNOHANG, nullptr); }, false, EPERM},
    // Code.
    {"mmap executable", [](pid_t) { return MapExecutable(); }, true, EPERM},
    {"mprotect executable", [](pid_t) { return MakeExecutable(SYS_mprotect); }, true, EPERM},
    {"pkey_mprotect executable", [](pid_t) { return MakeExecutable(SYS_pkey_mprotect); }, true,
     EPERM},
    {"personality", [](pid_t) { return Call(SYS_personality, READ_IMPLIES_EXEC); }, false, EPERM},
    {"modify_ldt", [](pid_t) { return Call(SYS_modify_ldt, 0, nullptr, 0); }, false, EPERM},
    {"userfaultfd", [](pid_t) { return Call(SYS_userfaultfd, 0); }, false, EPERM},
    // Rights.
    {"unshare", [](pid_t) { return Call(SYS_unshare, CLONE_FS); }, true, EPERM},
    {"setns", [](pid_t) { return Call(SYS_setns, 2, 0); }, false, EPERM},
    {"setuid", [](pid_t) { return Call(SYS_setuid, getuid()); }, false, EPERM},
    {"capset", [](pid_t) { return Call(SYS_capset, nullptr, nullptr); }, false, EPERM},
    {"prctl(SET_DUMPABLE)", [](pid_t) { return Call(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0); },
     true, EPERM},
    {"setrlimit", [](pid_t) { return Call(SYS_setrlimit, RLIMIT_CORE, nullptr); }, false, EPERM},
    {"seccomp", [](pid_t) { return Call(SYS_seccomp, 1, 0, nullptr); }, false, EPERM},
    {"bpf", [](pid_t) { return Bpf(); }, false, EPERM},
    {"perf_event_open", [](pid_t) { return PerfEvent(); }, false, EPERM},
    {"add_key", [](pid_t) { return Call(SYS_add_key, "user", "x", "y", 1, -2); }, false, EPERM},
    {"iopl", [](pid_t) { return Call(SYS_iopl, 3); }, false, EPERM},
    {"ioperm", [](pid_t) { return Call(SYS_ioperm, 0x80, 1, 1); }, false, EPERM},
    {"settimeofday", [](pid_t) { return Call(SYS_settimeofday, nullptr, nullptr); }, false, EPERM},
};

}  // namespace

std::span<const Attempt> SandboxAttempts() { return kAttempts; }

}  // namespace hv::service
