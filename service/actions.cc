#include "service/actions.h"

#include "base/check.h"

namespace hv::service {

void Actions::Push(const Outgoing& message) {
  CHECK(count_ < HV_OUTBOX_CELLS);
  messages_[count_++] = message;
}

}  // namespace hv::service
