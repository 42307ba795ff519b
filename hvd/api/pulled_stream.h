// The writing half of a gRPC stream that is fed by pulling: one write in flight, the next item
// fetched when it is done, woken when there was none.
#pragma once

#include <grpcpp/grpcpp.h>

#include <mutex>
#include <optional>

namespace hv::hvd {

// `Reactor` is grpc::ServerWriteReactor<Response> or grpc::ServerBidiReactor<Request, Response>.
// The derived class calls Poke() whenever Next() may give something, from any thread, and must have
// made sure by the end of its OnDone() that nobody will call it again.
template <typename Reactor, typename Response>
class PulledStream : public Reactor {
 protected:
  enum class Pull { kItem, kNothingYet, kEnd };
  // Fills `item`; or says that nothing is there, and Poke() will come; or ends the stream with
  // `status`. One call at a time.
  virtual Pull Next(Response& item, grpc::Status& status) = 0;

  void Poke() { Advance(/*write_done=*/false); }

  // Ends the stream after the write in flight.
  void EndWith(const grpc::Status& status) {
    {
      std::lock_guard lock(mutex_);
      if (!ending_) ending_ = status;
    }
    Advance(/*write_done=*/false);
  }

 public:
  void OnWriteDone(bool ok) override {
    if (!ok) {
      std::lock_guard lock(mutex_);
      if (!ending_) ending_ = grpc::Status(grpc::StatusCode::CANCELLED, "the client is gone");
    }
    Advance(/*write_done=*/true);
  }
  void OnCancel() override {
    EndWith(grpc::Status(grpc::StatusCode::CANCELLED, "cancelled by the client"));
  }

 private:
  void Advance(bool write_done) {
    bool write = false;
    std::optional<grpc::Status> finish;
    {
      std::lock_guard lock(mutex_);
      if (write_done) writing_ = false;
      if (writing_ || finished_) return;
      if (!ending_) {
        grpc::Status status;
        item_.Clear();
        const Pull pull = Next(item_, status);
        if (pull == Pull::kNothingYet) return;
        if (pull == Pull::kEnd) ending_ = status;
      }
      if (ending_) {
        finished_ = true;
        finish = ending_;
      } else {
        writing_ = write = true;
      }
    }
    // Without the lock: after Finish the stream may be destroyed under a thread that held it.
    if (write) this->StartWrite(&item_);
    if (finish) this->Finish(*finish);
  }

  std::mutex mutex_;
  Response item_;
  bool writing_ = false;
  bool finished_ = false;
  std::optional<grpc::Status> ending_;
};

}  // namespace hv::hvd
