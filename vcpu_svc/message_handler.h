// One message to vcpu_svc, applied to the machine.
#pragma once

#include "service/actions.h"
#include "service/message.h"
#include "vcpu_svc/machine.h"

namespace hv::vcpu {

class MessageHandler {
 public:
  MessageHandler(Machine& machine, service::Actions& actions)
      : machine_(machine), actions_(actions) {}

  // Sends one answer to what asks for one, at most one EOI, and leaves the rest owed; a write that
  // needs something stored in guest memory is answered when that is done. False: the message is
  // none of this service's, or of a vCPU that does not exist.
  bool Handle(const service::Message& message);

 private:
  bool Read(const service::Message& message);
  bool Write(const service::Message& message);
  bool MsrRead(const service::Message& message);
  bool MsrWrite(const service::Message& message);
  bool Cr8Write(const service::Message& message);
  bool Cr8Read(const service::Message& message);
  bool Injected(const service::Message& message);
  bool Interrupt(const service::Message& message);
  bool Intr(const service::Message& message);
  bool DeadlineExpired(const service::Message& message);
  bool StoreDone(const service::Message& message);

  // The vCPU that sent the message, what it took last already seen; false: there is no such vCPU.
  bool Sender(const service::Message& message, uint32_t& vcpu);
  // Asks for what the write of a paravirtual clock's MSR wants in guest memory. False: nothing.
  bool StoreClock(const service::Message& message, uint32_t vcpu);
  void AnswerMsr(const service::Message& message, bool ok, uint64_t value);
  void Apply(uint32_t vcpu, const Effects& effects);

  Machine& machine_;
  service::Actions& actions_;
};

}  // namespace hv::vcpu
