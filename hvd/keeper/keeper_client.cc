#include "hvd/keeper/keeper_client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hvd/host/socket_pair.h"
#include "hvd/keeper/keeper_socket.h"
#include "service/descriptor_socket.h"

namespace hv::hvd {
namespace {

using hv::v1::KeeperMessage;

constexpr char kProgram[] = "hv_keeper";
constexpr std::chrono::seconds kRetry{1};
// It answers in microseconds. Machines wait meanwhile, so one that hangs is given up soon.
constexpr timeval kTimeout{.tv_sec = 2, .tv_usec = 0};

void BoundWaits(int socket) {
  setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &kTimeout, sizeof(kTimeout));
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &kTimeout, sizeof(kTimeout));
}

absl::StatusOr<KeptRecord> Duplicate(const std::string& bytes, std::span<const int> fds) {
  KeptRecord record{.bytes = bytes, .fds = {}};
  for (int fd : fds) {
    record.fds.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!record.fds.back().valid()) {
      return absl::ResourceExhaustedError(
          absl::StrCat("descriptor ", fd, ": ", std::strerror(errno)));
    }
  }
  return record;
}

std::vector<int> Descriptors(const KeptRecord& record) {
  std::vector<int> fds;
  for (const UniqueFd& fd : record.fds) fds.push_back(fd.get());
  return fds;
}

void Complain(const absl::Status& status) {
  std::fprintf(stderr, "hvd: keeper: %s\n", std::string(status.message()).c_str());
}

}  // namespace

KeeperClient::KeeperClient(EventLoop& loop, Launcher& launcher, std::string folder)
    : loop_(loop), launcher_(launcher), folder_(std::move(folder)) {}

KeeperClient::~KeeperClient() {
  EventLoop::Id watch;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    watch = watch_;
  }
  loop_.Cancel(watch);
  process_.reset();
  if (owns_socket_) RemoveKeeperSocket(folder_);
}

absl::StatusOr<Records> KeeperClient::TakeOver() {
  std::lock_guard lock(mutex_);
  auto connection = ConnectToKeeper(folder_);
  if (absl::IsNotFound(connection.status())) return Records();
  if (!connection.ok()) return connection.status();
  connection_ = *std::move(connection);
  BoundWaits(connection_.get());
  auto records = Fetch();
  if (!records.ok()) {
    connection_.Reset();
    return records;
  }
  owns_socket_ = true;
  for (const auto& [key, record] : *records) {
    auto duplicate = Duplicate(record.bytes, Descriptors(record));
    if (!duplicate.ok()) return duplicate.status();
    records_[key] = *std::move(duplicate);
  }
  Watch();
  return records;
}

absl::StatusOr<Records> KeeperClient::Fetch() {
  KeeperMessage message;
  message.mutable_fetch();
  if (auto status =
          service::SendWithDescriptors(connection_.get(), message.SerializeAsString(), {});
      !status.ok()) {
    return status;
  }
  Records records;
  keeper::RecordAssembler assembler;
  for (;;) {
    auto received = service::ReceiveWithDescriptors(connection_.get());
    if (!received.ok()) return received.status();
    if (!message.ParseFromString(received->bytes)) {
      return absl::InvalidArgumentError("what it says is no hv.v1.KeeperMessage");
    }
    if (message.has_fetched()) break;
    auto record = assembler.Add(message.kept(), std::move(received->fds));
    if (!record.ok()) return record.status();
    if (*record) records.insert(*std::move(*record));
  }
  const pid_t pid = message.fetched().pid();
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd.valid()) process_ = launcher_.Adopt(pid, std::move(pidfd));
  return records;
}

void KeeperClient::Put(const std::string& key, std::string bytes, std::span<const int> fds) {
  std::lock_guard lock(mutex_);
  auto duplicate = Duplicate(bytes, fds);
  if (!duplicate.ok()) return Complain(duplicate.status());  // what was there would be false
  KeptRecord& record = records_[key] = *std::move(duplicate);
  if (connection_.valid()) {
    if (!Send(key, record).ok()) GiveUp();
  } else if (watch_ == EventLoop::kNone) {
    Start();
  }
}

void KeeperClient::Remove(const std::string& key) {
  std::lock_guard lock(mutex_);
  if (records_.erase(key) == 0 || !connection_.valid()) return;
  KeeperMessage message;
  message.set_remove(key);
  if (!service::SendWithDescriptors(connection_.get(), message.SerializeAsString(), {}).ok()) {
    GiveUp();
  }
}

absl::Status KeeperClient::Send(const std::string& key, const KeptRecord& record) {
  return keeper::SendRecord(connection_.get(), &KeeperMessage::mutable_put, key, record.bytes,
                            Descriptors(record));
}

// The loop sees the connection end and does the rest.
void KeeperClient::GiveUp() { shutdown(connection_.get(), SHUT_RDWR); }

void KeeperClient::Start() {
  watch_ = EventLoop::kNone;
  if (const absl::Status status = TryStart(); !status.ok()) {
    Complain(status);
    connection_.Reset();
    process_.reset();
    watch_ = loop_.After(kRetry, [this] {
      std::lock_guard lock(mutex_);
      if (!stopping_) Start();
    });
  }
}

absl::Status KeeperClient::TryStart() {
  owns_socket_ = true;
  auto listener = ListenForNextHvd(folder_);
  if (!listener.ok()) return listener.status();
  auto sockets = MakeSocketPair(SOCK_SEQPACKET);
  if (!sockets.ok()) return sockets.status();
  // It may outlive whoever reads hvd's standard error.
  const UniqueFd null(open("/dev/null", O_WRONLY | O_CLOEXEC));
  auto process = launcher_.Launch(kProgram, sockets->theirs.get(), null.get());
  if (!process.ok()) return process.status();
  process_ = *std::move(process);
  connection_ = std::move(sockets->ours);
  BoundWaits(connection_.get());
  sockets->theirs.Reset();
  absl::Status status =
      service::SendWithDescriptors(connection_.get(), "l", std::array{listener->get()});
  for (auto record = records_.begin(); status.ok() && record != records_.end(); ++record) {
    status = Send(record->first, record->second);
  }
  if (status.ok()) Watch();
  return status;
}

// It never speaks unasked: what can be read is its end.
void KeeperClient::Watch() {
  watch_ = loop_.WhenReadable(connection_.get(), [this] { OnEnd(); });
}

void KeeperClient::OnEnd() {
  std::lock_guard lock(mutex_);
  if (stopping_) return;
  connection_.Reset();
  process_.reset();
  watch_ = EventLoop::kNone;
  if (records_.empty()) return;
  Complain(absl::UnavailableError("hv_keeper has ended; starting another"));
  Start();
}

}  // namespace hv::hvd
