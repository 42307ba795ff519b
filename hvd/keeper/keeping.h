// What hv_keeper does: holds records while hvd after hvd comes and goes.
#pragma once

#include "absl/status/status.h"
#include "hvd/keeper/kept_record.h"

namespace hv::keeper {

// Knows nothing of what it holds. One thread.
class Keeping {
 public:
  // Does what comes over the connected socket, to its end. A message that makes no sense ends it
  // too; what is held stays. A record of which pieces are missing then was never put.
  void Serve(int socket);

  bool empty() const { return records_.empty(); }

 private:
  absl::Status Do(const hv::v1::KeeperMessage& message, std::vector<UniqueFd> fds, int socket,
                  RecordAssembler& assembler);
  absl::Status SendAll(int socket) const;

  Records records_;
};

}  // namespace hv::keeper
