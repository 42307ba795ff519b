// What a machine without the service would answer.
#pragma once

#include "service/actions.h"
#include "service/message.h"

namespace hv::service {

// Answers a request as if nobody were at the address: a read gives all ones and a write has no
// effect; an access to an MSR takes #GP(0), a store to guest memory is refused. What wants no
// answer is dropped.
void AnswerAsAbsent(const Message& message, Actions& actions);

}  // namespace hv::service
