#include "integration_tests/harness/child.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>

#include "base/check.h"

namespace hv::testing {
namespace {

// Long enough for a loaded machine; a test that needs it has failed.
constexpr int kPatienceMs = 180'000;

[[noreturn]] void Exec(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  _exit(127);
}

// Appends what can be read; false at the end.
bool Drain(UniqueFd& fd, std::string& text) {
  char piece[65536];
  const ssize_t got = read(fd.get(), piece, sizeof(piece));
  if (got <= 0) {  // a terminal whose other side is gone says EIO
    fd.Reset();
    return false;
  }
  text.append(piece, static_cast<size_t>(got));
  return true;
}

}  // namespace

Child::Child(const std::vector<std::string>& command, bool terminal) {
  if (terminal) {
    int fd = -1;
    pid_ = forkpty(&fd, nullptr, nullptr, nullptr);
    CHECK(pid_ >= 0);
    if (pid_ == 0) Exec(command);
    out_.Reset(fd);
    input_.Reset(dup(fd));
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(input_.get(), F_SETFD, FD_CLOEXEC);
    return;
  }
  int in[2], out[2], err[2];
  CHECK(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
  pid_ = fork();
  CHECK(pid_ >= 0);
  if (pid_ == 0) {
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    Exec(command);
  }
  close(in[0]);
  close(out[1]);
  close(err[1]);
  input_.Reset(in[1]);
  out_.Reset(out[0]);
  err_.Reset(err[0]);
}

Child::~Child() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Child::Type(const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t written = write(input_.get(), text.data() + done, text.size() - done);
    ASSERT_GT(written, 0) << "the program takes no input";
    done += static_cast<size_t>(written);
  }
}

void Child::CloseInput() { input_.Reset(); }

bool Child::Read(int timeout_ms) {
  pollfd ready[] = {{.fd = out_.get(), .events = POLLIN, .revents = 0},
                    {.fd = err_.get(), .events = POLLIN, .revents = 0}};
  if (poll(ready, 2, timeout_ms) <= 0) return false;
  if (err_.valid() && ready[1].revents != 0) Drain(err_, errors_);
  if (out_.valid() && ready[0].revents != 0) Drain(out_, output_);
  return out_.valid() || err_.valid();
}

bool Child::Expect(const std::string& text) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatienceMs);
  for (;;) {
    const size_t found = output_.find(text, expected_to_);
    if (found != std::string::npos) {
      expected_to_ = found + text.size();
      return true;
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0 || !Read(static_cast<int>(left.count()))) break;
  }
  ADD_FAILURE() << "no \"" << text << "\" in\n"
                << output_.substr(expected_to_) << "\nerrors:\n"
                << errors_;
  return false;
}

void Child::Pump() {
  while (Read(0)) {
  }
}

int Child::Wait() {
  while (Read(kPatienceMs)) {
  }
  int status = 0;
  // A program that has closed its output and does not end is ended.
  if (out_.valid() || err_.valid()) kill(pid_, SIGKILL);
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace hv::testing
