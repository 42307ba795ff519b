// hv_keeper's work over a real socket: what one hvd puts, the next finds.
#include "hvd/keeper/keeping.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <numeric>
#include <random>
#include <thread>

#include "service/descriptor_socket.h"

namespace hv::keeper {
namespace {

using hv::v1::KeeperMessage;

// One hvd's connection; the keeping serves it as long as this lives.
class Connection {
 public:
  explicit Connection(Keeping& keeping) {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    ours_.Reset(ends[0]);
    thread_ = std::thread([&keeping, theirs = UniqueFd(ends[1])] { keeping.Serve(theirs.get()); });
  }
  ~Connection() {
    ours_.Reset();
    thread_.join();
  }
  void Put(const std::string& key, const std::string& bytes, const std::vector<int>& fds = {}) {
    EXPECT_TRUE(SendRecord(ours_.get(), &KeeperMessage::mutable_put, key, bytes, fds).ok());
  }
  bool Send(const KeeperMessage& message) { return SendBytes(message.SerializeAsString()); }
  bool SendBytes(const std::string& bytes) {
    return service::SendWithDescriptors(ours_.get(), bytes, {}).ok();
  }
  void Remove(const std::string& key) {
    KeeperMessage message;
    message.set_remove(key);
    EXPECT_TRUE(Send(message));
  }
  Records Fetch() {
    KeeperMessage message;
    message.mutable_fetch();
    EXPECT_TRUE(Send(message));
    Records records;
    RecordAssembler assembler;
    for (;;) {
      auto received = service::ReceiveWithDescriptors(ours_.get());
      if (!received.ok() || !message.ParseFromString(received->bytes)) {
        ADD_FAILURE() << received.status();
        return records;
      }
      if (message.has_fetched()) {
        EXPECT_EQ(message.fetched().pid(), getpid());
        return records;
      }
      auto record = assembler.Add(message.kept(), std::move(received->fds));
      EXPECT_TRUE(record.ok()) << record.status();
      if (record.ok() && *record) records.insert(std::move(**record));
    }
  }
  // Whether the keeping has ended the connection.
  bool AwaitEnd() { return !service::ReceiveWithDescriptors(ours_.get()).ok(); }

 private:
  UniqueFd ours_;
  std::thread thread_;
};

UniqueFd FileWith(const std::string& text) {
  UniqueFd fd(memfd_create("test", MFD_CLOEXEC));
  EXPECT_EQ(write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  return fd;
}

std::string TextOf(const UniqueFd& fd) {
  char text[64] = {};
  EXPECT_GE(pread(fd.get(), text, sizeof(text) - 1, 0), 0);
  return text;
}

TEST(KeepingTest, WhatOnePutsTheNextFetchesWithItsDescriptors) {
  Keeping keeping;
  {
    Connection connection(keeping);
    const UniqueFd one = FileWith("one"), two = FileWith("two");
    connection.Put("vm", "record", {one.get(), two.get()});
    connection.Put("other", "");
  }
  EXPECT_FALSE(keeping.empty());
  for (int hvd = 0; hvd < 2; ++hvd) {  // fetching takes nothing away
    const Records records = Connection(keeping).Fetch();
    ASSERT_EQ(records.size(), 2u);
    const KeptRecord& record = records.at("vm");
    EXPECT_EQ(record.bytes, "record");
    ASSERT_EQ(record.fds.size(), 2u);
    EXPECT_EQ(TextOf(record.fds[0]), "one");
    EXPECT_EQ(TextOf(record.fds[1]), "two");
    EXPECT_TRUE(records.at("other").fds.empty());
  }
}

TEST(KeepingTest, PuttingAgainReplacesAndClosesWhatWasThere) {
  Keeping keeping;
  Connection connection(keeping);
  int pipe_ends[2];
  ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
  const UniqueFd reader(pipe_ends[0]);
  UniqueFd writer(pipe_ends[1]);
  connection.Put("vm", "old", {writer.get()});
  writer.Reset();
  connection.Put("vm", "new");
  char byte;
  EXPECT_EQ(read(reader.get(), &byte, 1), 0) << "the last writer has closed";
  EXPECT_EQ(connection.Fetch().at("vm").bytes, "new");
}

TEST(KeepingTest, WhatIsRemovedIsGone) {
  Keeping keeping;
  {
    Connection connection(keeping);
    connection.Put("vm", "record");
    connection.Remove("vm");
    connection.Remove("never there");
    EXPECT_TRUE(connection.Fetch().empty());
  }
  EXPECT_TRUE(keeping.empty());
}

TEST(KeepingTest, ARecordLargerThanAMessageComesBackWhole) {
  Keeping keeping;
  std::string bytes(300'000, '\0');
  std::iota(bytes.begin(), bytes.end(), '\0');
  const UniqueFd first = FileWith("first"), rest = FileWith("rest"), last = FileWith("last");
  std::vector<int> fds(600, rest.get());
  fds.front() = first.get();
  fds.back() = last.get();
  Connection connection(keeping);
  connection.Put("vm", bytes, fds);
  const Records records = connection.Fetch();
  EXPECT_EQ(records.at("vm").bytes, bytes);
  ASSERT_EQ(records.at("vm").fds.size(), fds.size());
  EXPECT_EQ(TextOf(records.at("vm").fds.front()), "first");
  EXPECT_EQ(TextOf(records.at("vm").fds[300]), "rest");
  EXPECT_EQ(TextOf(records.at("vm").fds.back()), "last");
}

TEST(KeepingTest, ARecordWhoseLastPieceNeverCameWasNeverPut) {
  Keeping keeping;
  {
    Connection connection(keeping);
    connection.Put("vm", "old");
    KeeperMessage message;
    message.mutable_put()->set_key("vm");
    message.mutable_put()->set_bytes("half of the n");
    EXPECT_TRUE(connection.Send(message));
  }
  EXPECT_EQ(Connection(keeping).Fetch().at("vm").bytes, "old");
}

TEST(KeepingTest, WhatMakesNoSenseEndsTheConnectionAndChangesNothing) {
  Keeping keeping;
  Connection(keeping).Put("vm", "record");
  KeeperMessage no_key;
  no_key.mutable_put()->set_last(true);
  KeeperMessage long_key;
  long_key.mutable_put()->set_key(std::string(kLongestKey + 1, 'k'));
  KeeperMessage answer;
  answer.mutable_fetched();
  const std::vector<std::string> nonsense{no_key.SerializeAsString(), long_key.SerializeAsString(),
                                          answer.SerializeAsString(), "\xff\xff\xff",
                                          std::string(service::kMaxMessageBytes + 1, 'x')};
  for (const std::string& bytes : nonsense) {
    Connection connection(keeping);
    EXPECT_TRUE(connection.SendBytes(bytes));
    EXPECT_TRUE(connection.AwaitEnd());
  }
  Connection connection(keeping);
  KeeperMessage message;
  message.mutable_put()->set_key("one");
  EXPECT_TRUE(connection.Send(message));
  message.mutable_put()->set_key("another");
  EXPECT_TRUE(connection.Send(message));
  EXPECT_TRUE(connection.AwaitEnd());
  const Records records = Connection(keeping).Fetch();
  EXPECT_EQ(records.size(), 1u);
  EXPECT_EQ(records.at("vm").bytes, "record");
}

TEST(KeepingTest, RandomMessagesNeitherCrashItNorTouchAnothersRecord) {
  Keeping keeping;
  Connection(keeping).Put("vm", "record");
  KeeperMessage put;
  put.mutable_put()->set_key("x");
  put.mutable_put()->set_bytes("bytes");
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = put.SerializeAsString();
    for (int flips = 0; flips < 3; ++flips) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    Connection(keeping).SendBytes(bytes);
  }
  EXPECT_EQ(Connection(keeping).Fetch().at("vm").bytes, "record");
}

}  // namespace
}  // namespace hv::keeper
