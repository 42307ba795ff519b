#include "service/testing/test_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "base/check.h"
#include "service/attachment.h"
#include "service/control_server.h"
#include "service/descriptor_socket.h"

namespace hv::service {
namespace {

constexpr char kProgram[] = "service/testing/test_svc";

}  // namespace

TestProcess::TestProcess() {
  int sockets[2];
  CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == 0);
  int pipe_ends[2];
  CHECK(pipe2(pipe_ends, O_CLOEXEC) == 0);
  pid_ = fork();
  CHECK(pid_ >= 0);
  if (pid_ == 0) {
    dup2(pipe_ends[1], 2);
    if (sockets[1] == kManifestSocket) {
      fcntl(kManifestSocket, F_SETFD, 0);
    } else {
      dup2(sockets[1], kManifestSocket);
    }
    // LeakSanitizer reads /proc when a process ends, which the sandbox refuses.
    setenv("ASAN_OPTIONS", "detect_leaks=0:abort_on_error=1", 1);
    execl(kProgram, "test_svc", nullptr);
    _exit(127);
  }
  socket_.Reset(sockets[0]);
  error_.Reset(pipe_ends[0]);
  close(sockets[1]);
  close(pipe_ends[1]);
}

TestProcess::~TestProcess() { Kill(); }

UniqueFd TestProcess::Attach(TestMachine& machine, uint32_t epoch) {
  int control[2];
  CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) == 0);
  control_.Reset(control[0]);
  const UniqueFd theirs(control[1]);
  machine.SetEpoch(epoch);
  std::vector<int> fds;
  const auto manifest = machine.Manifest(epoch, theirs.get(), fds);
  Send(manifest, fds);
  return Connect();
}

UniqueFd TestProcess::Connect() {
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  CHECK(SendConnection(control_.get(), theirs.get()).ok());
  return ours;
}

void TestProcess::SendOverControl(absl::string_view bytes) {
  CHECK(SendWithDescriptors(control_.get(), bytes, {}).ok());
}

void TestProcess::CloseControl() { control_.Reset(); }

void TestProcess::Send(const hv::v1::Manifest& manifest, const std::vector<int>& fds) {
  CHECK(SendManifest(socket_.get(), manifest, fds).ok());
}

void TestProcess::SendBytes(absl::string_view bytes) {
  if (bytes.empty()) {
    socket_.Reset();
  } else {
    CHECK(SendWithDescriptors(socket_.get(), bytes, {}).ok());
  }
}

void TestProcess::Kill() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

TestProcess::End TestProcess::AwaitEnd() {
  End end{};
  char text[4096];
  for (ssize_t got; (got = read(error_.get(), text, sizeof(text))) > 0;) {
    end.error.append(text, static_cast<size_t>(got));
  }
  CHECK(waitpid(pid_, &end.status, 0) == pid_);
  pid_ = -1;
  return end;
}

}  // namespace hv::service
