// A keeper for tests: holds what it is told, in this process.
#pragma once

#include <fcntl.h>

#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "hvd/keeper/keeper.h"

namespace hv::hvd {

class FakeKeeper : public Keeper {
 public:
  void Put(const std::string& key, std::string bytes, std::span<const int> fds) override {
    std::lock_guard lock(mutex_);
    if (deaf_) return;
    KeptRecord& record = records_[key] = {.bytes = std::move(bytes), .fds = {}};
    for (int fd : fds) record.fds.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  }
  void Remove(const std::string& key) override {
    std::lock_guard lock(mutex_);
    if (!deaf_) records_.erase(key);
  }

  // From now on it does not hear what it is told: hvd has been killed.
  void BecomeDeaf() {
    std::lock_guard lock(mutex_);
    deaf_ = true;
  }
  // What the next hvd gets, and what is kept of it.
  Records TakeOver() {
    std::lock_guard lock(mutex_);
    deaf_ = false;
    Records all;
    for (const auto& [key, record] : records_) {
      KeptRecord& copy = all[key] = {.bytes = record.bytes, .fds = {}};
      for (const UniqueFd& fd : record.fds) {
        copy.fds.emplace_back(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
      }
    }
    return all;
  }
  std::set<std::string> keys() const {
    std::lock_guard lock(mutex_);
    std::set<std::string> all;
    for (const auto& [key, record] : records_) all.insert(key);
    return all;
  }

 private:
  mutable std::mutex mutex_;
  Records records_;
  bool deaf_ = false;
};

}  // namespace hv::hvd
