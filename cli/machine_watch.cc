#include "cli/machine_watch.h"

#include "absl/strings/str_cat.h"

namespace hv::cli {

MachineWatch::MachineWatch(HvdClient& client, std::string machine, std::function<void()> ended)
    : client_(client),
      machine_(std::move(machine)),
      ended_(std::move(ended)),
      thread_([this] { Run(); }) {}

MachineWatch::~MachineWatch() {
  {
    std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (open_ != nullptr) open_->TryCancel();
  }
  thread_.join();
}

bool MachineWatch::cancelled() {
  std::lock_guard lock(mutex_);
  return cancelled_;
}

void MachineWatch::Run() {
  auto gone_since = HvdClient::Clock::now();
  for (;;) {
    bool heard = false;
    auto result = Follow(heard);
    if (heard) gone_since = HvdClient::Clock::now();
    if (result && absl::IsUnavailable(result->status()) &&
        client_.AwaitReturn(gone_since, [this] { return cancelled(); })) {
      continue;
    }
    std::unique_lock lock(mutex_);
    if (cancelled_) return;
    if (!result) continue;
    result_ = std::move(result);
    lock.unlock();
    changed_.notify_all();
    ended_();
    return;
  }
}

std::optional<absl::StatusOr<hv::v1::MachineExit>> MachineWatch::Follow(bool& heard) {
  grpc::ClientContext context;
  {
    std::lock_guard lock(mutex_);
    if (cancelled_) return std::nullopt;
    open_ = &context;
  }
  hv::v1::WatchEventsRequest request;
  request.set_name(machine_);
  request.set_include_current(true);
  auto stream = client_.stub().WatchEvents(&context, request);
  std::optional<absl::StatusOr<hv::v1::MachineExit>> result;
  bool seen = false;
  hv::v1::Event event;
  while (!result && stream->Read(&event)) {
    heard = true;
    if (event.kind() == hv::v1::EVENT_KIND_DELETED) {
      result = absl::NotFoundError(absl::StrCat("machine ", machine_, " was deleted"));
    } else if (event.kind() == hv::v1::EVENT_KIND_CURRENT_END && !seen) {
      result = absl::NotFoundError(
          absl::StrCat("machine ", machine_, ": there is none; hvctl ps lists them"));
    } else if (event.kind() == hv::v1::EVENT_KIND_STATE) {
      seen = true;
      if (event.state() == hv::v1::MACHINE_STATE_STOPPED) result = event.exit();
    }
  }
  if (result) context.TryCancel();
  const grpc::Status status = stream->Finish();
  // ABORTED: events were missed; the current state, asked for again, has what counts.
  if (!result && status.ok()) result = absl::UnavailableError("hvd ended");
  if (!result && status.error_code() != grpc::StatusCode::ABORTED) result = FromGrpc(status);
  std::lock_guard lock(mutex_);
  open_ = nullptr;
  return result;
}

absl::StatusOr<hv::v1::MachineExit> MachineWatch::Wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return result_.has_value(); });
  return *result_;
}

std::optional<absl::StatusOr<hv::v1::MachineExit>> MachineWatch::Result() {
  std::lock_guard lock(mutex_);
  return result_;
}

}  // namespace hv::cli
