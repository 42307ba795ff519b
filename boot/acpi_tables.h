// The machine's ACPI tables (ACPI 6.4): RSDP, XSDT, FADT, FACS, MADT, HPET and the compiled DSDT.
#pragma once

#include <cstdint>

#include "boot/guest_memory.h"

namespace hv::boot {

// Writes the tables at HV_ACPI_TABLES_BASE; returns the RSDP's physical address.
uint64_t WriteAcpiTables(const GuestMemory& memory, uint32_t cpus);

}  // namespace hv::boot
