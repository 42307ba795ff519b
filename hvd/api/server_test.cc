#include "hvd/api/server.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "hvd/api/server_fixture.h"

namespace hv::hvd {
namespace {

using ServerTest = ServerFixture;

TEST_F(ServerTest, SocketIsForItsOwnerAlone) {
  struct stat info;
  ASSERT_EQ(stat(Socket().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(ServerTest, MachineIsCreatedStartedListedAndDeleted) {
  ASSERT_TRUE(Create("vm").ok());
  EXPECT_EQ(machine_.state(), hv::v1::MACHINE_STATE_CREATED);
  ASSERT_TRUE(Start("vm").ok());
  EXPECT_EQ(machine_.state(), hv::v1::MACHINE_STATE_RUNNING);
  grpc::ClientContext context;
  hv::v1::ListMachinesResponse list;
  ASSERT_TRUE(stub_->List(&context, {}, &list).ok());
  ASSERT_EQ(list.machines_size(), 1);
  EXPECT_EQ(list.machines(0).config().name(), "vm");
  EXPECT_TRUE(Delete("vm").ok());
  EXPECT_EQ(launcher_.alive(), 0);
}

TEST_F(ServerTest, ErrorsArriveWithTheirCodeAndMessage) {
  const grpc::Status bad = Create("no/slash");
  EXPECT_EQ(bad.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(bad.error_message().find("no/slash"), std::string::npos);
  EXPECT_EQ(Start("none").error_code(), grpc::StatusCode::NOT_FOUND);
  ASSERT_TRUE(Create("vm").ok());
  EXPECT_EQ(Create("vm").error_code(), grpc::StatusCode::ALREADY_EXISTS);
}

TEST_F(ServerTest, MemoryIsShownWhenAskedFor) {
  ASSERT_TRUE(Create("vm").ok());
  launcher_.mmu.memory.add_regions()->set_bytes(16 << 20);
  launcher_.mmu.memory.set_hole_reads(7);
  hv::v1::GetMachineRequest request;
  request.set_name("vm");
  for (const bool memory : {false, true}) {
    grpc::ClientContext context;
    hv::v1::GetMachineResponse response;
    request.set_memory(memory);
    ASSERT_TRUE(stub_->Get(&context, request, &response).ok());
    EXPECT_EQ(response.has_memory(), memory);
    EXPECT_EQ(response.memory().hole_reads(), memory ? 7u : 0u);
  }
}

TEST_F(ServerTest, ChangesOfMemoryAnswerWithTheMap) {
  ASSERT_TRUE(Create("vm").ok());
  launcher_.mmu.memory.set_generation(4);
  hv::v1::GuestMemory memory;
  hv::v1::SetDirtyLoggingRequest log;
  log.set_name("vm");
  grpc::ClientContext first;
  ASSERT_TRUE(stub_->SetDirtyLogging(&first, log, &memory).ok());
  EXPECT_EQ(memory.generation(), 4u);
  launcher_.mmu.refusal = {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many slots"};
  hv::v1::SetWriteProtectionRequest protect;
  protect.set_name("vm");
  grpc::ClientContext second;
  const grpc::Status refused = stub_->SetWriteProtection(&second, protect, &memory);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused.error_message(), "too many slots");
}

TEST_F(ServerTest, TheLogsAndTranslationsComeFromTheMachineOfThatName) {
  ASSERT_TRUE(Create("vm").ok());
  launcher_.mmu.dirty.emplace_back().set_bitmap("\x03");
  hv::v1::TakeDirtyLogRequest take;
  hv::v1::TakeDirtyLogResponse taken;
  grpc::ClientContext first;
  take.set_name("none");
  EXPECT_EQ(stub_->TakeDirtyLog(&first, take, &taken).error_code(), grpc::StatusCode::NOT_FOUND);
  grpc::ClientContext second;
  take.set_name("vm");
  ASSERT_TRUE(stub_->TakeDirtyLog(&second, take, &taken).ok());
  EXPECT_EQ(taken.dirty_pages(), 2u);
  hv::v1::TakeWrittenPagesRequest take_written;
  take_written.set_name("none");
  grpc::ClientContext fourth;
  EXPECT_EQ(stub_->TakeWrittenPages(&fourth, take_written, &taken).error_code(),
            grpc::StatusCode::NOT_FOUND);
  hv::v1::SetWriteWatchRequest watch;
  watch.set_name("vm");
  hv::v1::GuestMemory memory;
  grpc::ClientContext fifth;
  EXPECT_EQ(stub_->SetWriteWatch(&fifth, watch, &memory).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION)
      << "the host pages";
  hv::v1::TranslateAddressRequest translate;
  translate.set_name("vm");
  translate.set_vcpu(0);
  translate.set_address(0x1234);
  hv::v1::Translation translation;
  grpc::ClientContext third;
  ASSERT_TRUE(stub_->TranslateAddress(&third, translate, &translation).ok());
  EXPECT_EQ(translation.linear(), 0x1234u);
}

TEST_F(ServerTest, GraceBeyondAnHourIsRefused) {
  ASSERT_TRUE(Create("vm").ok());
  grpc::ClientContext context;
  hv::v1::StopMachineRequest request;
  request.set_name("vm");
  request.set_grace_seconds(3601);
  EXPECT_EQ(stub_->Stop(&context, request, &machine_).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServerTest, EventsBeginWithWhatIsAndFollowWhatHappens) {
  ASSERT_TRUE(Create("vm").ok());
  grpc::ClientContext context;
  hv::v1::WatchEventsRequest request;
  request.set_include_current(true);
  const auto reader = stub_->WatchEvents(&context, request);
  hv::v1::Event event;
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.state(), hv::v1::MACHINE_STATE_CREATED);
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.kind(), hv::v1::EVENT_KIND_CURRENT_END);
  ASSERT_TRUE(Start("vm").ok());
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.state(), hv::v1::MACHINE_STATE_RUNNING);
  launcher_.Await("timer_svc")->Die({.by_signal = true, .code = 11});
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.kind(), hv::v1::EVENT_KIND_SERVICE_DIED);
  context.TryCancel();
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(ServerTest, CancelledWatchersAreForgotten) {
  for (int i = 0; i < 10; ++i) {
    grpc::ClientContext context;
    hv::v1::WatchEventsRequest request;
    request.set_include_current(true);
    const auto reader = stub_->WatchEvents(&context, request);
    hv::v1::Event event;
    ASSERT_TRUE(reader->Read(&event));
    context.TryCancel();
    reader->Finish();
  }
  server_.reset();  // returns when every stream is done
  EXPECT_EQ(events_.watchers(), 0u);
}

}  // namespace
}  // namespace hv::hvd
