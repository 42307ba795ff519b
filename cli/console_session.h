// One terminal on one machine's console.
#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "base/unique_fd.h"
#include "cli/hvd_client.h"
#include "cli/input_queue.h"

namespace hv::cli {

// Shows output and sends what is typed until the user leaves (Ctrl-], at a terminal), a signal
// comes, or there is nothing more to show. Three threads: the caller's reads `input` and signals,
// one reads the stream, one writes it, since each of them may have to wait for the guest.
class ConsoleSession {
 public:
  enum class End { kLeft, kSignal, kUnread, kOver };  // kUnread: nobody reads the output any more
  struct Ports {
    int input;    // descriptor; an end of file is not typed
    int output;   // descriptor
    int signals;  // signalfd of what ends a session
    bool escape;  // Ctrl-] leaves
  };

  // Shows from output byte `from_offset` on; with `whole_lines`, from the first line that begins
  // there.
  ConsoleSession(HvdClient& client, const std::string& machine, uint64_t from_offset,
                 bool whole_lines, const Ports& ports);
  ~ConsoleSession();

  End Run();
  // The machine writes nothing more than its first `console_bytes` bytes: Run ends once they have
  // been shown. From any thread.
  void EndAt(uint64_t console_bytes);
  // After Run returned kOver: why hvd ended the stream; OK if all was shown.
  absl::Status status() const { return status_; }

 private:
  void Receive();
  void Send();
  // False: nobody reads it.
  bool Show(const hv::v1::ConsoleResponse& response);
  // Types what can be read; returns whether the user leaves. `open`: false at the end of file.
  bool Type(bool& open);

  const Ports ports_;
  bool whole_lines_;
  UniqueFd over_;  // eventfd: the receiver is done
  InputQueue typed_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<hv::v1::ConsoleRequest, hv::v1::ConsoleResponse>>
      stream_;
  std::mutex mutex_;
  uint64_t shown_ = 0;  // output bytes seen, as numbered by hvd
  std::optional<uint64_t> end_at_;
  absl::Status status_;
  bool unread_ = false;
  std::thread sender_;
  std::thread receiver_;
};

}  // namespace hv::cli
