// The control endpoint of a real service process, over its socket.
#include <fcntl.h>
#include <grpcpp/create_channel_posix.h>
#include <sys/wait.h>

#include "abi/message.h"
#include "abi/version.h"
#include "gtest/gtest.h"
#include "proto/hv/v1/service_control.grpc.pb.h"
#include "service/testing/generic_client.h"
#include "service/testing/test_machine.h"
#include "service/testing/test_process.h"

namespace hv::service {
namespace {

class ControlTest : public testing::Test {
 protected:
  ControlTest() { Attach(1); }

  void Attach(uint32_t epoch) {
    process_.reset();
    process_.emplace();
    Use(process_->Attach(machine_, epoch));
  }
  void Use(UniqueFd connection) {
    fcntl(connection.get(), F_SETFL, fcntl(connection.get(), F_GETFL) | O_NONBLOCK);
    channel_ = grpc::CreateInsecureChannelFromFd("service", connection.Release());
    stub_ = hv::v1::ServiceControl::NewStub(channel_);
  }
  void SendNumber(uint64_t number) {
    const hv_deadline payload{.time_ns = number};
    machine_.vcpu().Send(HV_KIND_DEADLINE_SET, 1, &payload, sizeof(payload));
  }
  // What the service answers to a number: the sum so far.
  uint64_t ReceiveSum() {
    const auto answer = machine_.vcpu().Receive();
    EXPECT_TRUE(answer.has_value());
    hv_deadline payload{};
    if (answer) std::memcpy(&payload, answer->payload, sizeof(payload));
    return payload.time_ns;
  }
  uint64_t Add(uint64_t number) {
    SendNumber(number);
    return ReceiveSum();
  }
  grpc::Status Quiesce() {
    grpc::ClientContext context;
    hv::v1::QuiesceResponse response;
    return stub_->Quiesce(&context, {}, &response);
  }
  grpc::Status Resume() {
    grpc::ClientContext context;
    hv::v1::ResumeResponse response;
    return stub_->Resume(&context, {}, &response);
  }
  grpc::Status Export(hv::v1::ExportStateResponse& response) {
    grpc::ClientContext context;
    return stub_->ExportState(&context, {}, &response);
  }
  grpc::Status Import(uint32_t role, uint32_t version, const std::string& state) {
    grpc::ClientContext context;
    hv::v1::ImportStateRequest request;
    request.set_role(role);
    request.set_version(version);
    request.set_state(state);
    hv::v1::ImportStateResponse response;
    return stub_->ImportState(&context, request, &response);
  }
  hv::v1::StatsResponse Stats() {
    grpc::ClientContext context;
    hv::v1::StatsResponse response;
    const auto status = stub_->Stats(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  TestMachine machine_;
  std::optional<TestProcess> process_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<hv::v1::ServiceControl::Stub> stub_;
};

TEST_F(ControlTest, TheStandardHealthServiceSaysServing) {
  // HealthCheckRequest{} -> HealthCheckResponse{status: SERVING}.
  const auto answer = CallByName(channel_, "/grpc.health.v1.Health/Check", "");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, "\x08\x01");
}

TEST_F(ControlTest, ReflectionListsWhatIsServed) {
  // ServerReflectionRequest{list_services: "*"}.
  const auto answer = CallByName(
      channel_, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "\x3a\x01*");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_NE(answer->find("hv.v1.ServiceControl"), std::string::npos);
  EXPECT_NE(answer->find("grpc.health.v1.Health"), std::string::npos);
}

TEST_F(ControlTest, AMethodThatIsNotThereIsUnimplemented) {
  EXPECT_EQ(CallByName(channel_, "/hv.v1.ServiceControl/Destroy", "").status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST_F(ControlTest, DescribeSaysWhoThisIsAndWhatHoldsIt) {
  grpc::ClientContext context;
  hv::v1::DescribeResponse response;
  ASSERT_TRUE(stub_->Describe(&context, {}, &response).ok());
  EXPECT_EQ(response.name(), "timer_svc");
  EXPECT_EQ(response.endpoint(), TestMachine::kSelf);
  EXPECT_EQ(response.epoch(), 1u);
  EXPECT_EQ(response.abi_major(), HV_ABI_MAJOR);
  EXPECT_EQ(response.state_layout(), 1u);
  EXPECT_EQ(response.pid(), process_->pid());
  EXPECT_EQ(static_cast<size_t>(response.maps_size()), machine_.SegmentNames().size());
  const auto& sandbox = response.sandbox();
  EXPECT_EQ(std::count(sandbox.begin(), sandbox.end(), "seccomp"), 1);
}

TEST_F(ControlTest, StatsCountWhatWasDone) {
  EXPECT_EQ(Add(1), 1u);
  EXPECT_EQ(Add(2), 3u);
  const auto stats = Stats();
  EXPECT_EQ(stats.received(), 2u);
  EXPECT_GE(stats.sent(), 3u) << "two sums, and the first line level";
  EXPECT_EQ(stats.refused(), 0u);
  EXPECT_GE(stats.steps(), 3u);
  EXPECT_GT(stats.heartbeat(), 0u);
}

TEST_F(ControlTest, WhileQuiescedMessagesWaitAndResumeTakesThem) {
  ASSERT_TRUE(Quiesce().ok());
  ASSERT_TRUE(Quiesce().ok()) << "again changes nothing";
  const uint64_t steps = Stats().steps();
  SendNumber(5);
  ASSERT_TRUE(Quiesce().ok());  // a whole turn of the loop after the message
  EXPECT_EQ(Stats().steps(), steps);
  EXPECT_FALSE(machine_.vcpu().TryReceive());
  ASSERT_TRUE(Resume().ok());
  EXPECT_EQ(ReceiveSum(), 5u);
}

TEST_F(ControlTest, StateIsExportedAndImportedWhileQuiescedAlone) {
  Add(40);
  hv::v1::ExportStateResponse exported;
  EXPECT_EQ(Export(exported).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Import(HV_ROLE_TIMER, 1, "7").error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  ASSERT_TRUE(Quiesce().ok());
  ASSERT_TRUE(Export(exported).ok());
  EXPECT_EQ(exported.state(), "40");
  EXPECT_EQ(exported.role(), uint32_t{HV_ROLE_TIMER});
  EXPECT_EQ(exported.version(), 1u);
  ASSERT_TRUE(Import(HV_ROLE_TIMER, 1, "100").ok());
  ASSERT_TRUE(Resume().ok());
  EXPECT_EQ(Add(1), 101u);
}

TEST_F(ControlTest, AnImportedStateOutlivesTheProcess) {
  ASSERT_TRUE(Quiesce().ok());
  ASSERT_TRUE(Import(HV_ROLE_TIMER, 1, "100").ok());
  Attach(2);
  EXPECT_EQ(Add(1), 101u) << "and the successor is not quiesced";
}

TEST_F(ControlTest, AStateThatCannotBeIsRefusedAndTheOldOneStays) {
  Add(40);
  ASSERT_TRUE(Quiesce().ok());
  const auto bad = Import(HV_ROLE_TIMER, 1, "forty");
  EXPECT_EQ(bad.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(bad.error_message().find("sum"), std::string::npos) << bad.error_message();
  const auto role = Import(HV_ROLE_SERIAL, 1, "7");
  EXPECT_EQ(role.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(role.error_message().find("role 6"), std::string::npos) << role.error_message();
  const auto version = Import(HV_ROLE_TIMER, 2, "7");
  EXPECT_EQ(version.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(version.error_message().find("version 2"), std::string::npos)
      << version.error_message();
  ASSERT_TRUE(Resume().ok());
  EXPECT_EQ(Add(2), 42u);
}

TEST_F(ControlTest, TheServiceGoesOnWhenItsSupervisorIsGone) {
  Add(1);
  stub_.reset();
  channel_.reset();
  EXPECT_EQ(Add(2), 3u);
}

TEST_F(ControlTest, TheNextSupervisorConnectsOverTheSameSocket) {
  ASSERT_TRUE(Quiesce().ok());
  stub_.reset();
  channel_.reset();
  Use(process_->Connect());
  EXPECT_GT(Stats().heartbeat(), 0u);
  EXPECT_TRUE(Resume().ok());
  EXPECT_EQ(Add(2), 2u);
}

TEST_F(ControlTest, AMessageThatBringsNoConnectionChangesNothing) {
  process_->SendOverControl("not a connection");
  Use(process_->Connect());
  EXPECT_TRUE(Resume().ok());
}

TEST_F(ControlTest, ItEndsWhenNobodyIsLeftWhoCouldConnect) {
  Add(1);
  process_->CloseControl();
  const auto end = process_->AwaitEnd();
  EXPECT_TRUE(WIFEXITED(end.status) && WEXITSTATUS(end.status) == 0) << end.status;
}

}  // namespace
}  // namespace hv::service
