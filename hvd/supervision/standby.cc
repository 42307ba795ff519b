#include "hvd/supervision/standby.h"

#include <chrono>
#include <utility>

namespace hv::hvd {
namespace {

// A process that dies before it has done anything is not started over and over.
constexpr std::chrono::milliseconds kRetry{1000};
// By then a successor has recovered and whoever waited for it has gone on.
constexpr std::chrono::milliseconds kSoon{10};

}  // namespace

Standby::Standby(EventLoop& loop, Launcher& launcher, uint32_t endpoint, int log)
    : loop_(loop), launcher_(launcher), endpoint_(endpoint), log_(log) {}

Standby::~Standby() {
  EventLoop::Id watch;
  EventLoop::Id later;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    watch = watch_;
    later = later_;
  }
  loop_.Cancel(watch);
  loop_.Cancel(later);
}

void Standby::Prepare() {
  std::lock_guard lock(mutex_);
  PrepareLocked();
}

void Standby::PrepareSoon() {
  std::lock_guard lock(mutex_);
  PrepareLater(kSoon);
}

void Standby::PrepareLater(std::chrono::milliseconds delay) {
  if (stopping_ || later_ != EventLoop::kNone) return;
  later_ = loop_.After(delay, [this] {
    std::lock_guard lock(mutex_);
    later_ = EventLoop::kNone;
    PrepareLocked();
  });
}

void Standby::PrepareLocked() {
  if (stopping_ || part_.process) return;
  auto part = LaunchPart(launcher_, endpoint_, log_);
  if (!part.ok()) {  // the host is short of something: a successor will be started when needed
    PrepareLater(kRetry);
    return;
  }
  part_ = *std::move(part);
  watch_ = loop_.WhenReadable(part_.process->death_fd(), [this] { OnDeath(); });
}

std::optional<LaunchedPart> Standby::Take() {
  LaunchedPart part;
  EventLoop::Id watch;
  {
    std::lock_guard lock(mutex_);
    if (!part_.process) return std::nullopt;
    part = std::exchange(part_, {});
    watch = std::exchange(watch_, EventLoop::kNone);
  }
  loop_.Cancel(watch);
  return part;
}

pid_t Standby::pid() const {
  std::lock_guard lock(mutex_);
  return part_.process ? part_.process->pid() : 0;
}

void Standby::OnDeath() {
  std::lock_guard lock(mutex_);
  if (stopping_ || !part_.process) return;
  part_ = {};
  watch_ = EventLoop::kNone;
  PrepareLater(kRetry);
}

}  // namespace hv::hvd
