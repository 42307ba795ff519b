#include "boot/acpi_tables.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "abi/platform.h"
#include "base/check.h"
#include "boot/dsdt.h"

namespace hv::boot {
namespace {

constexpr size_t kHeaderBytes = 36;
constexpr char kOemId[] = "HV    ";
constexpr char kOemTableId[] = "HVMACHIN";
constexpr uint64_t kTableAlignment = 64;

// A table under construction: fields by their offset in the specification.
class Table {
 public:
  Table(const char* signature, uint8_t revision, size_t bytes) : bytes_(bytes) {
    PutText(0, signature, 4);
    Put<uint8_t>(8, revision);
    PutText(10, kOemId, 6);
    PutText(16, kOemTableId, 8);
    Put<uint32_t>(24, 1);
    PutText(28, "HV  ", 4);
    Put<uint32_t>(32, 1);
  }
  template <typename T>
  void Put(size_t offset, T value) {
    CHECK(offset + sizeof(T) <= bytes_.size());
    std::memcpy(bytes_.data() + offset, &value, sizeof(T));
  }
  template <typename T>
  void Append(T value) {
    bytes_.resize(bytes_.size() + sizeof(T));
    Put(bytes_.size() - sizeof(T), value);
  }
  // Sets length and checksum.
  const std::vector<std::byte>& Finish() {
    Put(4, static_cast<uint32_t>(bytes_.size()));
    Put<uint8_t>(9, 0);
    uint8_t sum = 0;
    for (std::byte byte : bytes_) sum += static_cast<uint8_t>(byte);
    Put<uint8_t>(9, static_cast<uint8_t>(-sum));
    return bytes_;
  }

 private:
  void PutText(size_t offset, const char* text, size_t count) {
    std::memcpy(bytes_.data() + offset, text, count);
  }
  std::vector<std::byte> bytes_;
};

// Places tables one after the other.
class Placer {
 public:
  explicit Placer(const GuestMemory& memory) : memory_(memory) {}
  uint64_t Place(std::span<const std::byte> table) {
    const uint64_t at = next_;
    CHECK(at + table.size() <= HV_ACPI_TABLES_END);
    CHECK(memory_.Write(at, table, "ACPI table").ok());
    next_ = (at + table.size() + kTableAlignment - 1) / kTableAlignment * kTableAlignment;
    return at;
  }

 private:
  const GuestMemory& memory_;
  uint64_t next_ = HV_ACPI_TABLES_BASE + kTableAlignment;  // the RSDP comes first
};

// Generic address structure in I/O space (5.2.3.2).
void PutIoAddress(Table& table, size_t offset, uint8_t bits, uint64_t port) {
  table.Put<uint8_t>(offset, 1);
  table.Put<uint8_t>(offset + 1, bits);
  table.Put<uint8_t>(offset + 2, 0);
  table.Put<uint8_t>(offset + 3, bits == 8 ? 1 : bits == 16 ? 2 : 3);
  table.Put<uint64_t>(offset + 4, port);
}

// 5.2.9.
Table Fadt(uint64_t facs, uint64_t dsdt) {
  constexpr uint32_t kWbinvd = 1u << 0, kProcC1 = 1u << 2, kSleepButtonAbsent = 1u << 5,
                     kTimer32Bits = 1u << 8, kResetRegister = 1u << 10;
  // No VGA, no ASPM; no legacy devices but what the DSDT names; CMOS clock present.
  constexpr uint16_t kBootFlags = 1u << 2 | 1u << 4;
  Table t("FACP", 6, 276);
  t.Put(36, static_cast<uint32_t>(facs));
  t.Put(40, static_cast<uint32_t>(dsdt));
  t.Put<uint16_t>(46, HV_GSI_SCI);
  t.Put<uint32_t>(56, HV_PORT_PM1_EVENT);
  t.Put<uint32_t>(64, HV_PORT_PM1_CONTROL);
  t.Put<uint32_t>(76, HV_PORT_PM_TIMER);
  t.Put<uint8_t>(88, 4);      // PM1 event length
  t.Put<uint8_t>(89, 2);      // PM1 control length
  t.Put<uint8_t>(91, 4);      // PM timer length
  t.Put<uint16_t>(96, 101);   // no C2
  t.Put<uint16_t>(98, 1001);  // no C3
  t.Put<uint8_t>(108, 0x32);  // century byte of the CMOS clock
  t.Put<uint16_t>(109, kBootFlags);
  t.Put<uint32_t>(112, kWbinvd | kProcC1 | kSleepButtonAbsent | kTimer32Bits | kResetRegister);
  PutIoAddress(t, 116, 8, HV_PORT_RESET);
  t.Put<uint8_t>(128, HV_RESET_VALUE);
  t.Put<uint8_t>(131, 4);  // minor version
  t.Put<uint64_t>(132, facs);
  t.Put<uint64_t>(140, dsdt);
  PutIoAddress(t, 148, 32, HV_PORT_PM1_EVENT);
  PutIoAddress(t, 172, 16, HV_PORT_PM1_CONTROL);
  PutIoAddress(t, 208, 32, HV_PORT_PM_TIMER);
  return t;
}

// 5.2.12.
Table Madt(uint32_t cpus) {
  constexpr uint32_t kPcatCompatible = 1;
  constexpr uint16_t kActiveHighLevel = 0x0d;
  Table t("APIC", 5, 44);
  t.Put<uint32_t>(36, static_cast<uint32_t>(HV_LOCAL_APIC_BASE));
  t.Put<uint32_t>(40, kPcatCompatible);
  for (uint32_t i = 0; i < cpus; ++i) {  // processor local APIC
    t.Append<uint8_t>(0);
    t.Append<uint8_t>(8);
    t.Append<uint8_t>(static_cast<uint8_t>(i));
    t.Append<uint8_t>(static_cast<uint8_t>(i));
    t.Append<uint32_t>(1);
  }
  t.Append<uint8_t>(1);  // I/O APIC
  t.Append<uint8_t>(12);
  t.Append<uint8_t>(static_cast<uint8_t>(HV_IOAPIC_ID));
  t.Append<uint8_t>(0);
  t.Append<uint32_t>(static_cast<uint32_t>(HV_IOAPIC_BASE));
  t.Append<uint32_t>(0);
  const auto override = [&](uint8_t irq, uint32_t gsi, uint16_t flags) {
    t.Append<uint8_t>(2);
    t.Append<uint8_t>(10);
    t.Append<uint8_t>(0);
    t.Append<uint8_t>(irq);
    t.Append<uint32_t>(gsi);
    t.Append<uint16_t>(flags);
  };
  override(0, HV_GSI_PIT, 0);
  override(HV_GSI_SCI, HV_GSI_SCI, kActiveHighLevel);
  t.Append<uint8_t>(4);  // NMI at LINT1 of all processors
  t.Append<uint8_t>(6);
  t.Append<uint8_t>(0xff);
  t.Append<uint16_t>(0);
  t.Append<uint8_t>(1);
  return t;
}

// IA-PC HPET 1.0a, 3.2.4.
Table HpetTable() {
  Table t("HPET", 1, 56);
  t.Put<uint32_t>(36, 0x8086u << 16 | 1u << 15 | 1u << 13 | 2u << 8 | 1);
  t.Put<uint8_t>(40, 0);  // memory space
  t.Put<uint8_t>(41, 64);
  t.Put<uint64_t>(44, HV_HPET_BASE);
  t.Put<uint16_t>(53, 128);  // shortest periodic tick without loss
  return t;
}

}  // namespace

uint64_t WriteAcpiTables(const GuestMemory& memory, uint32_t cpus) {
  Placer placer(memory);
  std::vector<std::byte> facs(64);
  std::memcpy(facs.data(), "FACS", 4);
  facs[4] = std::byte{64};
  facs[32] = std::byte{2};  // version
  const uint64_t facs_at = placer.Place(facs);
  const std::span<const std::byte> dsdt{reinterpret_cast<const std::byte*>(kDsdt), sizeof(kDsdt)};
  const uint64_t dsdt_at = placer.Place(dsdt);
  Table xsdt("XSDT", 1, kHeaderBytes);
  xsdt.Append(placer.Place(Fadt(facs_at, dsdt_at).Finish()));
  xsdt.Append(placer.Place(Madt(cpus).Finish()));
  xsdt.Append(placer.Place(HpetTable().Finish()));
  const uint64_t xsdt_at = placer.Place(xsdt.Finish());

  // 5.2.5.3.
  uint8_t rsdp[36] = {};
  std::copy_n("RSD PTR ", 8, rsdp);
  std::copy_n(kOemId, 6, rsdp + 9);
  rsdp[15] = 2;
  rsdp[20] = sizeof(rsdp);
  std::memcpy(rsdp + 24, &xsdt_at, sizeof(xsdt_at));
  const auto checksum = [&](size_t count) {
    uint8_t sum = 0;
    for (size_t i = 0; i < count; ++i) sum += rsdp[i];
    return static_cast<uint8_t>(-sum);
  };
  rsdp[8] = checksum(20);
  rsdp[32] = checksum(sizeof(rsdp));
  memory.Put(HV_ACPI_TABLES_BASE, rsdp);
  return HV_ACPI_TABLES_BASE;
}

}  // namespace hv::boot
