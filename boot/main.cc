// hv_boot: puts a kernel into a machine's memory and says how to enter it. One request, one answer;
// what it parses is foreign, so it is shut in before it looks.
#include <sys/prctl.h>

#include <array>
#include <cstdio>

#include "absl/status/status.h"
#include "boot/boot_request.h"
#include "service/descriptor_socket.h"
#include "service/sandbox.h"

namespace {

constexpr int kSocket = 3;

void ShutIn() {
  hv::service::SandboxReport sandbox;
  hv::service::EnterNamespaces(std::array{kSocket}, sandbox);
  hv::service::CloseSystemCalls(sandbox);
}

}  // namespace

int main() {
  prctl(PR_SET_NAME, "hv_boot");
  const auto received = hv::service::ReceiveWithDescriptors(kSocket);
  if (!received.ok()) {
    std::fprintf(stderr, "hv_boot: %s\n", received.status().ToString().c_str());
    return 1;
  }
  hv::v1::BootRequest request;
  hv::v1::BootResponse response;
  if (request.ParseFromString(received->bytes)) {
    response = hv::boot::Answer(request, received->fds, ShutIn);
  } else {
    response.set_code(static_cast<int>(absl::StatusCode::kInvalidArgument));
    response.set_message("hv_boot: not an hv.v1.BootRequest");
  }
  return hv::service::SendWithDescriptors(kSocket, response.SerializeAsString(), {}).ok() ? 0 : 1;
}
