// One terminal on one machine's console.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
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
// comes, or there is nothing more to show. When hvd goes, it goes on with the next one at the byte
// where it was; what had been typed into the one that went may be lost. Three threads: the caller's
// reads `input` and signals, one reads the stream, one writes it, since each of them may have to
// wait for the guest.
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
  using Rpc = grpc::ClientReaderWriter<hv::v1::ConsoleRequest, hv::v1::ConsoleResponse>;
  struct Stream {
    grpc::ClientContext context;
    std::unique_ptr<Rpc> rpc;
  };

  // --- The receiver's thread.
  void Receive();
  // A stream that begins where the last one ended; the sender goes on with it. Null: not wanted any
  // more.
  std::shared_ptr<Stream> Open();
  // Shows what comes to the end of the stream; whether anything came.
  bool Follow(Stream& stream);
  bool ToGoOn();
  // --- The sender's.
  void Send();
  // The stream at present, unless it is `broken`: then the next one. Null: there will be none.
  std::shared_ptr<Stream> StreamAfter(const std::shared_ptr<Stream>& broken);

  // REQUIRES: mutex_ is held.
  void Cancel();
  // False: nobody reads it.
  bool Show(const hv::v1::ConsoleResponse& response);
  // Types what can be read; returns whether the user leaves. `open`: false at the end of file.
  bool Type(bool& open);

  HvdClient& client_;
  const std::string machine_;
  const Ports ports_;
  bool whole_lines_;
  UniqueFd over_;  // eventfd: the receiver is done
  InputQueue typed_;
  std::mutex mutex_;
  std::condition_variable opened_;
  std::shared_ptr<Stream> stream_;
  bool cancelled_ = false;
  uint64_t shown_ = 0;  // output bytes seen, as numbered by hvd
  std::optional<uint64_t> end_at_;
  absl::Status status_;
  bool unread_ = false;
  std::thread sender_;
  std::thread receiver_;
};

}  // namespace hv::cli
