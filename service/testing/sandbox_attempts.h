// What an attacker who runs code inside a sandboxed process would try next, one attempt each.
#pragma once

#include <sys/types.h>

#include <span>

namespace hv::service {

struct Attempt {
  const char* name;
  // 0: it worked; else the errno it was refused with. `victim` is a process of the same user that
  // is no part of the caller. Makes system calls and nothing else; it may not return when it works.
  int (*run)(pid_t victim);
  // An ordinary process gets away with it, so that a refusal says something about the sandbox.
  bool works_outside;
  // What the system-call filter answers.
  int refusal;
};

std::span<const Attempt> SandboxAttempts();

}  // namespace hv::service
