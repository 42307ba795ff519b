#include "cli/console_session.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "base/check.h"

namespace hv::cli {
namespace {

constexpr char kLeave = 0x1d;  // Ctrl-]
constexpr size_t kPieceBytes = 4096;
constexpr size_t kQueuedBytes = 1 << 20;

// False: nobody reads any more.
bool WriteAll(int fd, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t written = write(fd, data, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      if (errno == EPIPE) return false;
      if (errno != EAGAIN) return true;  // a terminal that has gone: SIGHUP comes too
      pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
      poll(&ready, 1, -1);
      continue;
    }
    data += written;
    size -= static_cast<size_t>(written);
  }
  return true;
}

}  // namespace

ConsoleSession::ConsoleSession(HvdClient& client, const std::string& machine, uint64_t from_offset,
                               bool whole_lines, const Ports& ports)
    : client_(client),
      machine_(machine),
      ports_(ports),
      whole_lines_(whole_lines && from_offset > 0),
      over_(eventfd(0, EFD_CLOEXEC)),
      typed_(kQueuedBytes),
      shown_(from_offset) {
  CHECK(over_.valid());
  sender_ = std::thread([this] { Send(); });
  receiver_ = std::thread([this] { Receive(); });
}

ConsoleSession::~ConsoleSession() {
  {
    std::lock_guard lock(mutex_);
    Cancel();
  }
  typed_.Close();
  sender_.join();
  receiver_.join();
}

void ConsoleSession::Cancel() {
  cancelled_ = true;
  if (stream_) stream_->context.TryCancel();
  opened_.notify_all();
}

bool ConsoleSession::ToGoOn() {
  std::lock_guard lock(mutex_);
  return !cancelled_;
}

std::shared_ptr<ConsoleSession::Stream> ConsoleSession::StreamAfter(
    const std::shared_ptr<Stream>& broken) {
  std::unique_lock lock(mutex_);
  opened_.wait(lock, [&] { return cancelled_ || (stream_ && stream_ != broken); });
  return cancelled_ ? nullptr : stream_;
}

void ConsoleSession::Send() {
  auto stream = StreamAfter(nullptr);
  for (std::string text = typed_.Take(); !text.empty(); text = typed_.Take()) {
    hv::v1::ConsoleRequest request;
    request.set_input(std::move(text));
    while (stream && !stream->rpc->Write(request)) stream = StreamAfter(stream);
    if (!stream) return;
  }
}

std::shared_ptr<ConsoleSession::Stream> ConsoleSession::Open() {
  auto stream = std::make_shared<Stream>();
  hv::v1::ConsoleRequest attach;
  attach.mutable_attach()->set_name(machine_);
  {
    std::lock_guard lock(mutex_);
    attach.mutable_attach()->set_from_offset(shown_);
  }
  stream->rpc = client_.stub().Console(&stream->context);
  stream->rpc->Write(attach);
  std::lock_guard lock(mutex_);
  if (cancelled_) stream->context.TryCancel();
  stream_ = stream;
  opened_.notify_all();
  return stream;
}

bool ConsoleSession::Follow(Stream& stream) {
  bool heard = false;
  hv::v1::ConsoleResponse response;
  while (stream.rpc->Read(&response)) {
    heard = true;
    const bool read = Show(response);
    std::lock_guard lock(mutex_);
    shown_ = response.offset() + response.output().size();
    unread_ = !read;
    if (unread_ || (end_at_ && shown_ >= *end_at_)) Cancel();
  }
  return heard;
}

void ConsoleSession::Receive() {
  auto gone_since = HvdClient::Clock::now();
  absl::Status status;
  do {
    const auto stream = Open();
    if (Follow(*stream)) gone_since = HvdClient::Clock::now();
    status = FromGrpc(stream->rpc->Finish());
  } while (absl::IsUnavailable(status) &&
           client_.AwaitReturn(gone_since, [this] { return !ToGoOn(); }));
  {
    std::lock_guard lock(mutex_);
    if (!end_at_ || shown_ < *end_at_) status_ = status;
    cancelled_ = true;
    opened_.notify_all();
  }
  typed_.Close();
  const uint64_t one = 1;
  CHECK(write(over_.get(), &one, sizeof(one)) == sizeof(one));
}

bool ConsoleSession::Show(const hv::v1::ConsoleResponse& response) {
  size_t begin = 0;
  if (whole_lines_ && !response.output().empty()) {
    const size_t line_end = response.output().find('\n');
    if (line_end == std::string::npos) return true;
    begin = line_end + 1;
    whole_lines_ = false;
  }
  return WriteAll(ports_.output, response.output().data() + begin,
                  response.output().size() - begin);
}

void ConsoleSession::EndAt(uint64_t console_bytes) {
  std::lock_guard lock(mutex_);
  end_at_ = console_bytes;
  if (shown_ >= console_bytes) Cancel();
}

bool ConsoleSession::Type(bool& open) {
  char piece[kPieceBytes];
  const ssize_t got = read(ports_.input, piece, sizeof(piece));
  if (got <= 0) {
    open = got < 0 && (errno == EINTR || errno == EAGAIN);
    return false;
  }
  std::string text(piece, static_cast<size_t>(got));
  const size_t leave = ports_.escape ? text.find(kLeave) : std::string::npos;
  if (leave != std::string::npos) text.resize(leave);
  // Who types at a terminal can always leave: its keys are not made to wait.
  if (!text.empty()) typed_.Put(text, !ports_.escape);
  return leave != std::string::npos;
}

ConsoleSession::End ConsoleSession::Run() {
  bool open = true;
  for (;;) {
    pollfd ready[] = {{.fd = over_.get(), .events = POLLIN, .revents = 0},
                      {.fd = ports_.signals, .events = POLLIN, .revents = 0},
                      {.fd = open ? ports_.input : -1, .events = POLLIN, .revents = 0}};
    if (poll(ready, 3, -1) < 0) continue;  // EINTR
    if (ready[0].revents != 0) {
      std::lock_guard lock(mutex_);
      return unread_ ? End::kUnread : End::kOver;
    }
    if (ready[1].revents != 0) return End::kSignal;
    if (ready[2].revents != 0 && Type(open)) return End::kLeft;
  }
}

}  // namespace hv::cli
