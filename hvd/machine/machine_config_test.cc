#include "hvd/machine/machine_config.h"

#include <gtest/gtest.h>

namespace hv::hvd {
namespace {

hv::v1::MachineConfig Good() {
  hv::v1::MachineConfig config;
  config.set_name("vm-1");
  config.set_kernel("/boot/vmlinuz");
  return config;
}

// The message with which `config` is refused.
std::string Refusal(const hv::v1::MachineConfig& config) {
  const auto status = ValidateConfig(config).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(MachineConfigTest, DefaultsAreFilledIn) {
  const auto config = ValidateConfig(Good());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->cpus(), 1u);
  EXPECT_EQ(config->memory_bytes(), kDefaultMemory);
  EXPECT_EQ(config->engine(), "auto");
  EXPECT_EQ(config->paging(), "auto");
  EXPECT_EQ(config->on_reset(), hv::v1::ON_RESET_RESTART);
}

TEST(MachineConfigTest, EveryEngineCanBeAskedFor) {
  for (const char* engine : {"auto", "soft", "kvm"}) {
    auto config = Good();
    config.set_engine(engine);
    EXPECT_TRUE(ValidateConfig(config).ok()) << engine;
  }
}

TEST(MachineConfigTest, NamesAreSafeAsFileNames) {
  for (const char* name : {"a", "A.b_c-9", "0"}) EXPECT_TRUE(ValidateName(name).ok()) << name;
  for (const std::string& name :
       {std::string(), std::string("-a"), std::string(".."), std::string("a/b"), std::string("a b"),
        std::string("a\0b", 3), std::string("\xc3\xa4"), std::string(64, 'a')}) {
    EXPECT_EQ(ValidateName(name).code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

TEST(MachineConfigTest, RefusalsNameFieldAndValue) {
  auto config = Good();
  config.set_cpus(65);
  EXPECT_NE(Refusal(config).find("cpus 65"), std::string::npos);
  config = Good();
  config.set_engine("magic");
  EXPECT_NE(Refusal(config).find("'magic'"), std::string::npos);
  config = Good();
  config.set_kernel("relative/path");
  EXPECT_NE(Refusal(config).find("kernel 'relative/path'"), std::string::npos);
  config = Good();
  config.set_kernel("");
  EXPECT_NE(Refusal(config).find("kernel"), std::string::npos);
  config = Good();
  config.set_initrd("initrd");
  EXPECT_NE(Refusal(config).find("initrd 'initrd'"), std::string::npos);
}

TEST(MachineConfigTest, MemoryIsWholeMebibytesInRange) {
  auto config = Good();
  for (uint64_t bytes : {kLeastMemory, kMostMemory}) {
    config.set_memory_bytes(bytes);
    EXPECT_TRUE(ValidateConfig(config).ok());
  }
  for (uint64_t bytes : {uint64_t{1}, kLeastMemory - kMebibyte, kLeastMemory + 4096,
                         kMostMemory + kMebibyte, UINT64_MAX}) {
    config.set_memory_bytes(bytes);
    EXPECT_NE(Refusal(config).find(std::to_string(bytes)), std::string::npos);
  }
}

TEST(MachineConfigTest, TextsWithNulOrOfAnyLengthAreRefused) {
  auto config = Good();
  config.set_command_line(std::string(kLongestCommandLine + 1, 'x'));
  EXPECT_NE(Refusal(config).find("4096 bytes"), std::string::npos);
  config.set_command_line(std::string("a\0b", 3));
  Refusal(config);
  config = Good();
  config.set_kernel(std::string("/a\0b", 4));
  Refusal(config);
}

TEST(MachineConfigTest, ModulesAreBoundedAndChecked) {
  auto config = Good();
  for (int i = 0; i < kMostModules; ++i) config.add_modules()->set_path("/m");
  EXPECT_TRUE(ValidateConfig(config).ok());
  config.add_modules()->set_path("/m");
  Refusal(config);
  config = Good();
  config.add_modules()->set_path("m");
  EXPECT_NE(Refusal(config).find("module 'm'"), std::string::npos);
}

TEST(MachineConfigTest, HangTimeoutHasADefaultAndBounds) {
  auto config = Good();
  EXPECT_EQ(ValidateConfig(config)->hang_timeout_ms(), kDefaultHangTimeoutMs);
  config.set_hang_timeout_ms(kLeastHangTimeoutMs);
  EXPECT_TRUE(ValidateConfig(config).ok());
  config.set_hang_timeout_ms(kLeastHangTimeoutMs - 1);
  EXPECT_NE(Refusal(config).find("hang_timeout_ms 9"), std::string::npos);
  config.set_hang_timeout_ms(kMostHangTimeoutMs + 1);
  Refusal(config);
}

TEST(MachineConfigTest, TranslationCacheHasADefaultAndBounds) {
  auto config = Good();
  EXPECT_EQ(ValidateConfig(config)->translation_cache_bytes(), kDefaultTranslationCache);
  for (const uint64_t bytes : {kLeastTranslationCache, kMostTranslationCache}) {
    config.set_translation_cache_bytes(bytes);
    EXPECT_TRUE(ValidateConfig(config).ok()) << bytes;
  }
  for (const uint64_t bytes :
       {uint64_t{1}, kLeastTranslationCache + 4096, kMostTranslationCache + kMebibyte}) {
    config.set_translation_cache_bytes(bytes);
    EXPECT_NE(Refusal(config).find("translation_cache_bytes"), std::string::npos) << bytes;
  }
}

TEST(MachineConfigTest, UnknownEnumValueIsRefused) {
  auto config = Good();
  config.set_on_reset(static_cast<hv::v1::OnReset>(99));
  EXPECT_NE(Refusal(config).find("99"), std::string::npos);
}

}  // namespace
}  // namespace hv::hvd
