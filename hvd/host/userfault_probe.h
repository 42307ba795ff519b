// Whether this host lets guest RAM be paged on demand, and writes to it be watched
// (userfaultfd(2)); found out by trying.
#pragma once

#include <cerrno>

namespace hv::hvd {

struct UserfaultFacts {
  // Of faults of user mode alone, which engine soft needs; 0: permitted, else errno.
  int user_mode_error = ENOSYS;
  // Of faults of every mode, which engine kvm needs: by the system call, and by /dev/userfaultfd.
  int call_error = ENOSYS;
  int device_error = ENOENT;
  // The kernel tells of missing pages of shared memory.
  bool has_shared_memory = false;
  // And of writes to it.
  bool has_write_protection = false;

  bool permits_soft() const { return has_shared_memory && user_mode_error == 0; }
  bool permits_kvm() const { return has_shared_memory && (call_error == 0 || device_error == 0); }
};

UserfaultFacts ProbeUserfault();

}  // namespace hv::hvd
