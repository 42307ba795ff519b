#include "boot/acpi_tables.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <set>

#include "abi/platform.h"
#include "boot/test_images.h"

namespace hv::boot {
namespace {

// The tables as a guest finds them: RSDP, XSDT, what that lists, and what the FADT points to.
class Tables {
 public:
  explicit Tables(uint32_t cpus) : rsdp_(WriteAcpiTables(ram_.memory(), cpus)) {
    xsdt_ = ram_.At<uint64_t>(rsdp_ + 24);
    Find(xsdt_);
    for (uint64_t at = xsdt_ + 36; at < xsdt_ + Length(xsdt_); at += 8) {
      Find(ram_.At<uint64_t>(at));
    }
    Find(At<uint64_t>("FACP", 140));
    Find(At<uint64_t>("FACP", 132));
  }

  uint64_t rsdp() const { return rsdp_; }
  const std::map<std::string, uint64_t>& addresses() const { return addresses_; }
  uint64_t Length(uint64_t address) const { return ram_.At<uint32_t>(address + 4); }
  uint8_t Sum(uint64_t address, uint64_t bytes) const {
    uint8_t sum = 0;
    for (uint64_t i = 0; i < bytes; ++i) sum += ram_.At<uint8_t>(address + i);
    return sum;
  }
  // A field of a table.
  template <typename T>
  T At(const std::string& signature, uint64_t offset) const {
    return ram_.At<T>(addresses_.at(signature) + offset);
  }
  std::string Bytes(const std::string& signature) const {
    const uint64_t at = addresses_.at(signature);
    return ram_.String(at, Length(at));
  }
  const TestRam& ram() const { return ram_; }

 private:
  void Find(uint64_t address) { addresses_[ram_.String(address, 4)] = address; }

  TestRam ram_;
  uint64_t rsdp_, xsdt_;
  std::map<std::string, uint64_t> addresses_;
};

class AcpiTablesTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  Tables tables_{GetParam()};
};

TEST_P(AcpiTablesTest, RootPointer) {
  const uint64_t at = tables_.rsdp();
  EXPECT_EQ(at, HV_ACPI_TABLES_BASE);
  EXPECT_EQ(at % 16, 0u);  // found by looking at every 16th byte
  EXPECT_EQ(tables_.ram().String(at, 8), "RSD PTR ");
  EXPECT_EQ(tables_.ram().At<uint8_t>(at + 15), 2);    // revision of ACPI 2.0 and later
  EXPECT_EQ(tables_.ram().At<uint32_t>(at + 16), 0u);  // no RSDT
  EXPECT_EQ(tables_.Length(at + 16), 36u);
  EXPECT_EQ(tables_.Sum(at, 20), 0);
  EXPECT_EQ(tables_.Sum(at, 36), 0);
}

TEST_P(AcpiTablesTest, EveryTableIsThereOnce) {
  std::set<std::string> signatures;
  for (const auto& [signature, address] : tables_.addresses()) signatures.insert(signature);
  EXPECT_EQ(signatures, (std::set<std::string>{"XSDT", "FACP", "APIC", "HPET", "DSDT", "FACS"}));
}

TEST_P(AcpiTablesTest, ChecksumsAreRight) {
  for (const auto& [signature, address] : tables_.addresses()) {
    if (signature == "FACS") continue;  // has none
    EXPECT_EQ(tables_.Sum(address, tables_.Length(address)), 0) << signature;
  }
}

TEST_P(AcpiTablesTest, LengthsAreThoseOfTheSpecification) {
  const uint32_t cpus = GetParam();
  const std::map<std::string, uint64_t> expected{{"XSDT", 36 + 3 * 8},
                                                 {"FACP", 276},
                                                 {"HPET", 56},
                                                 {"FACS", 64},
                                                 {"APIC", 44 + cpus * 8 + 12 + 2 * 10 + 6}};
  for (const auto& [signature, length] : expected) {
    EXPECT_EQ(tables_.At<uint32_t>(signature, 4), length) << signature;
  }
}

TEST_P(AcpiTablesTest, TablesLieApartAndBelowTheEndOfTheirArea) {
  std::map<uint64_t, uint64_t> by_address{{tables_.rsdp(), 36}};
  for (const auto& [signature, address] : tables_.addresses()) {
    by_address[address] = tables_.Length(address);
    EXPECT_EQ(address % 64, 0u) << signature;  // as the FACS must
  }
  uint64_t end = HV_ACPI_TABLES_BASE;
  for (const auto& [address, length] : by_address) {
    EXPECT_GE(address, end);
    end = address + length;
  }
  EXPECT_LE(end, HV_ACPI_TABLES_END + 1);
}

TEST_P(AcpiTablesTest, MadtListsEveryProcessor) {
  std::vector<uint8_t> apic_ids;
  std::map<uint8_t, int> others;
  const std::string madt = tables_.Bytes("APIC");
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(madt.at(at)); };
  size_t at = 44;
  while (at < madt.size()) {
    if (byte(at) == 0) {  // processor local APIC
      EXPECT_EQ(byte(at + 1), 8);
      EXPECT_EQ(byte(at + 2), byte(at + 3));  // processor and APIC id
      EXPECT_EQ(byte(at + 4), 1);             // enabled
      apic_ids.push_back(byte(at + 3));
    } else {
      ++others[byte(at)];
    }
    ASSERT_GE(byte(at + 1), 2);
    at += byte(at + 1);
  }
  EXPECT_EQ(at, madt.size());
  std::vector<uint8_t> expected(GetParam());
  std::iota(expected.begin(), expected.end(), uint8_t{0});
  EXPECT_EQ(apic_ids, expected);
  EXPECT_EQ(others, (std::map<uint8_t, int>{{1, 1}, {2, 2}, {4, 1}}));  // I/O APIC, overrides, NMI
}

// iasl takes tables apart as ACPICA, and so Linux, would, and complains about what it does not
// like.
TEST_P(AcpiTablesTest, IaslTakesThemApartWithoutComplaint) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / ("tables" + std::to_string(GetParam()));
  std::filesystem::create_directories(folder);
  for (const auto& [signature, address] : tables_.addresses()) {
    const auto file = (folder / (signature + ".dat")).string();
    std::ofstream(file, std::ios::binary) << tables_.Bytes(signature);
    const std::string log = file + ".log";
    std::string command = "iasl -d ";
    command.append(file).append(" > ").append(log).append(" 2>&1");
    const int status = std::system(command.c_str());
    std::ifstream read(log);
    const std::string said{std::istreambuf_iterator<char>(read), {}};
    EXPECT_EQ(status, 0) << signature << ": " << said;
    for (const char* complaint : {"Error", "Warning", "Invalid", "Unknown", "ncorrect"}) {
      EXPECT_EQ(said.find(complaint), std::string::npos) << signature << ": " << said;
    }
    std::ifstream dsl((folder / (signature + ".dsl")).string());
    const std::string source{std::istreambuf_iterator<char>(dsl), {}};
    EXPECT_NE(source.find(signature), std::string::npos) << "no source";
    for (const char* complaint : {"**** ", "Invalid", "Incorrect", "Unknown"}) {
      EXPECT_EQ(source.find(complaint), std::string::npos) << signature << ": " << source;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cpus, AcpiTablesTest, ::testing::Values(1, 8, 64, 255),
                         ::testing::PrintToStringParamName());

class FixedTablesTest : public ::testing::Test {
 protected:
  // A generic address in I/O space (5.2.3.2).
  void ExpectPort(uint64_t offset, uint8_t bits, uint64_t port) {
    EXPECT_EQ(tables_.At<uint8_t>("FACP", offset), 1);
    EXPECT_EQ(tables_.At<uint8_t>("FACP", offset + 1), bits);
    EXPECT_EQ(tables_.At<uint64_t>("FACP", offset + 4), port);
  }
  Tables tables_{2};
};

TEST_F(FixedTablesTest, FadtSaysWherePowerManagementIs) {
  ExpectPort(116, 8, HV_PORT_RESET);
  EXPECT_EQ(tables_.At<uint8_t>("FACP", 128), HV_RESET_VALUE);
  ExpectPort(148, 32, HV_PORT_PM1_EVENT);
  ExpectPort(172, 16, HV_PORT_PM1_CONTROL);
  ExpectPort(208, 32, HV_PORT_PM_TIMER);
  EXPECT_EQ(tables_.At<uint32_t>("FACP", 56), uint32_t{HV_PORT_PM1_EVENT});
  EXPECT_EQ(tables_.At<uint32_t>("FACP", 64), uint32_t{HV_PORT_PM1_CONTROL});
  EXPECT_EQ(tables_.At<uint32_t>("FACP", 76), uint32_t{HV_PORT_PM_TIMER});
  EXPECT_EQ(tables_.At<uint16_t>("FACP", 46), HV_GSI_SCI);
  EXPECT_EQ(tables_.At<uint32_t>("FACP", 48), 0u);  // no SMI command: ACPI is on
}

TEST_F(FixedTablesTest, FadtFeatures) {
  const auto flags = tables_.At<uint32_t>("FACP", 112);
  EXPECT_EQ(flags & 1u << 4, 0u) << "the power button is fixed hardware";
  EXPECT_NE(flags & 1u << 8, 0u) << "the PM timer has 32 bits";
  EXPECT_NE(flags & 1u << 10, 0u) << "there is a reset register";
  EXPECT_EQ(flags & 1u << 20, 0u) << "not hardware-reduced";
  EXPECT_EQ(tables_.At<uint16_t>("FACP", 109) & 1u << 1, 0u) << "no keyboard to look for";
}

TEST_F(FixedTablesTest, MadtOverridesThePitAndTheSci) {
  const uint64_t at = 44 + 2 * 8 + 12;
  EXPECT_EQ(tables_.At<uint8_t>("APIC", at + 3), 0);
  EXPECT_EQ(tables_.At<uint32_t>("APIC", at + 4), uint32_t{HV_GSI_PIT});
  EXPECT_EQ(tables_.At<uint8_t>("APIC", at + 13), HV_GSI_SCI);
  EXPECT_EQ(tables_.At<uint16_t>("APIC", at + 18), 0x0d);  // level, active high
}

TEST_F(FixedTablesTest, HpetIsWhereItIs) {
  EXPECT_EQ(tables_.At<uint64_t>("HPET", 44), HV_HPET_BASE);
  EXPECT_EQ(tables_.At<uint8_t>("HPET", 40), 0);  // in memory
}

}  // namespace
}  // namespace hv::boot
