// What outlives hvd: records with descriptors by key, held by a process of their own. The seam at
// which tests bring their own.
#pragma once

#include <span>
#include <string>

#include "hvd/keeper/kept_record.h"

namespace hv::hvd {

using keeper::KeptRecord;
using keeper::Records;

// Thread-safe. What is put is kept once the call returns, so that hvd may be killed right after it.
class Keeper {
 public:
  virtual ~Keeper() = default;
  // Replaces what is kept under `key`. The descriptors stay the caller's.
  virtual void Put(const std::string& key, std::string bytes, std::span<const int> fds) = 0;
  // No effect on a key that is not there.
  virtual void Remove(const std::string& key) = 0;
};

}  // namespace hv::hvd
