// The part of the sandbox that comes before threads: namespaces, root, Landlock, limits.
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "service/sandbox.h"

namespace hv::service {
namespace {

bool Note(SandboxReport& report, const char* mechanism, bool done) {
  if (done) {
    report.in_force.emplace_back(mechanism);
  } else {
    report.missing.push_back(absl::StrCat(mechanism, ": ", std::strerror(errno)));
  }
  return done;
}

bool WriteFile(const char* path, const std::string& text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  close(fd);
  errno = error;
  return written;
}

// Inside its own user namespace the process is its own uid and gid, and nobody else.
bool EnterUserNamespace() {
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  if (unshare(CLONE_NEWUSER) != 0) return false;
  return WriteFile("/proc/self/setgroups", "deny") &&
         WriteFile("/proc/self/uid_map", absl::StrCat(uid, " ", uid, " 1")) &&
         WriteFile("/proc/self/gid_map", absl::StrCat(gid, " ", gid, " 1"));
}

// An empty, read-only tmpfs becomes the root; the old one is detached.
bool EmptyRoot() {
  if (unshare(CLONE_NEWNS) != 0) return false;
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  if (mount("hv", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k") != 0) return false;
  if (chdir("/tmp") != 0) return false;
  if (syscall(SYS_pivot_root, ".", ".") != 0) return false;
  if (umount2(".", MNT_DETACH) != 0) return false;
  if (mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0) return false;
  return chdir("/") == 0;
}

// Every right on files is handled by the ruleset and none is granted.
bool DenyFilesByLandlock() {
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
  const int ruleset =
      static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0));
  if (ruleset < 0) return false;
  const bool done = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
  close(ruleset);
  return done;
}

void CloseAllBut(std::span<const int> keep) {
  std::vector<int> sorted(keep.begin(), keep.end());
  std::sort(sorted.begin(), sorted.end());
  unsigned first = 3;
  for (int fd : sorted) {
    if (fd < 3) continue;
    if (static_cast<unsigned>(fd) > first) close_range(first, fd - 1, 0);
    first = fd + 1;
  }
  close_range(first, ~0u, 0);
}

}  // namespace

void EnterNamespaces(std::span<const int> keep, SandboxReport& report) {
  CloseAllBut(keep);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  Note(report, "no_new_privs", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  const bool user = Note(report, "user namespace", EnterUserNamespace());
  if (user || geteuid() == 0) {
    Note(report, "network namespace", unshare(CLONE_NEWNET) == 0);
    Note(report, "ipc namespace", unshare(CLONE_NEWIPC) == 0);
    if (!Note(report, "empty root", EmptyRoot())) {
      Note(report, "landlock", DenyFilesByLandlock());
    }
  } else {
    Note(report, "landlock", DenyFilesByLandlock());
  }
  // After the maps are written: a process that is not dumpable may not write them.
  Note(report, "not dumpable", prctl(PR_SET_DUMPABLE, 0) == 0);
}

}  // namespace hv::service
