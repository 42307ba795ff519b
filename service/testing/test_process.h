// The service program of the tests as a supervisor starts it: its own process, a socket at
// descriptor 3, standard error in a pipe.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "proto/hv/v1/manifest.pb.h"
#include "service/testing/test_machine.h"

namespace hv::service {

class TestProcess {
 public:
  // Starts //service/testing:test_svc. It waits for its manifest.
  TestProcess();
  // Kills it.
  ~TestProcess();

  // Sends it the machine's manifest for `epoch` and returns a first control connection.
  UniqueFd Attach(TestMachine& machine, uint32_t epoch);
  // One more.
  UniqueFd Connect();
  // Sends what need be no connection over the control socket.
  void SendOverControl(absl::string_view bytes);
  // Lets go of the control socket, over which connections are made.
  void CloseControl();
  // Sends it `manifest`, whatever that says.
  void Send(const hv::v1::Manifest& manifest, const std::vector<int>& fds);
  // Sends it bytes that need be no manifest; closes the socket after that if they are empty.
  void SendBytes(absl::string_view bytes);

  // SIGKILL, and waits until it is gone.
  void Kill();
  // Waits until it ends by itself: its wait status, and what it wrote to standard error.
  struct End {
    int status;
    std::string error;
  };
  End AwaitEnd();

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  UniqueFd socket_;
  UniqueFd error_;
  UniqueFd control_;
};

}  // namespace hv::service
