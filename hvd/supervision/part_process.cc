#include "hvd/supervision/part_process.h"

#include <sys/socket.h>

#include "abi/endpoint.h"
#include "hvd/host/socket_pair.h"
#include "hvd/host/time_slice.h"
#include "service/attachment.h"
#include "service/control_server.h"
#include "service/role_name.h"

namespace hv::hvd {

absl::StatusOr<LaunchedPart> LaunchPart(Launcher& launcher, uint32_t endpoint, int log) {
  auto sockets = MakeSocketPair(SOCK_SEQPACKET);
  if (!sockets.ok()) return sockets.status();
  auto process =
      launcher.Launch(service::RoleName(HV_ENDPOINT_ROLE(endpoint)), sockets->theirs.get(), log);
  if (!process.ok()) return process.status();
  (*process)->AskForTimeSlice(kPatientSlice);
  return LaunchedPart{*std::move(process), std::move(sockets->ours), {}};
}

absl::StatusOr<UniqueFd> AttachPart(LaunchedPart& part, const MachinePlan& plan,
                                    const SegmentSet& segments, uint32_t endpoint, uint32_t epoch,
                                    MachineRecords& records) {
  auto control = MakeSocketPair(SOCK_SEQPACKET);
  if (!control.ok()) return control.status();
  const PreparedManifest prepared =
      PrepareManifest(plan, segments, endpoint, epoch, control->theirs.get());
  part.process->AskForTimeSlice(kPromptSlice);
  records.PutPart(endpoint, epoch, *part.process, control->ours.get());
  if (auto status =
          service::SendManifest(part.manifest_socket.get(), prepared.manifest, prepared.fds);
      !status.ok()) {
    return status;
  }
  part.control = std::move(control->ours);
  return ConnectTo(part);
}

absl::StatusOr<UniqueFd> ConnectTo(const LaunchedPart& part) {
  auto connection = MakeSocketPair(SOCK_STREAM);
  if (!connection.ok()) return connection.status();
  if (auto status = service::SendConnection(part.control.get(), connection->theirs.get());
      !status.ok()) {
    return status;
  }
  return std::move(connection->ours);
}

}  // namespace hv::hvd
