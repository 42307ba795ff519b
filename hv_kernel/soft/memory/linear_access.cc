#include "hv_kernel/soft/memory/linear_access.h"

#include "hv_kernel/soft/code_tracker.h"
#include "hv_kernel/soft/memory/bulk_copy.h"
#include "hv_kernel/soft/memory/tlb.h"
#include "hv_kernel/soft/system/breakpoints.h"

namespace hv::soft {
namespace {

// A range of at most 1024 bytes lies in at most two pages.
struct Piece {
  Location at;
  uint32_t bytes = 0;
};
struct Pieces {
  Piece piece[2];
  int count = 0;
};

Outcome LocateRange(Cpu& cpu, uint64_t linear, uint32_t bytes, AccessKind kind, TlbIndex index,
                    bool stack, Pieces& pieces) {
  HV_RETURN_UNLESS_DONE(CheckCanonical(cpu, linear, bytes, stack));
  while (bytes != 0) {
    Piece& piece = pieces.piece[pieces.count];
    const Outcome outcome = Locate(cpu, linear, kind, index, stack, piece.at);
    if (outcome != Outcome::kDone) return outcome;
    const auto left = static_cast<uint32_t>(kPageBytes - (linear & kPageOffsetMask));
    piece.bytes = bytes < left ? bytes : left;
    ++pieces.count;
    linear += piece.bytes;
    if (!LongModeActive(cpu)) linear &= 0xffffffffu;
    bytes -= piece.bytes;
  }
  return Outcome::kDone;
}

// Devices take 1, 2, 4 or 8 bytes, aligned to their size.
uint8_t DeviceWidth(uint64_t physical, uint32_t bytes) {
  uint8_t width = 8;
  while (width > bytes || (physical & (width - 1u)) != 0) width /= 2;
  return width;
}

Outcome ReadDevicePiece(Cpu& cpu, uint64_t physical, uint8_t* to, uint32_t bytes) {
  while (bytes != 0) {
    const uint8_t width = DeviceWidth(physical, bytes);
    uint64_t value = 0;
    const Outcome outcome = ReadDevice(cpu, HV_SPACE_MMIO, physical, width, value);
    if (outcome != Outcome::kDone) return outcome;
    CopyBytes(to, &value, width);
    to += width;
    physical += width;
    bytes -= width;
  }
  return Outcome::kDone;
}

void WriteDevicePiece(Cpu& cpu, uint64_t physical, const uint8_t* from, uint32_t bytes) {
  while (bytes != 0) {
    const uint8_t width = DeviceWidth(physical, bytes);
    uint64_t value = 0;
    CopyBytes(&value, from, width);
    QueueDeviceWrite(cpu, HV_SPACE_MMIO, physical, width, value);
    from += width;
    physical += width;
    bytes -= width;
  }
}

// Plain stores of the usual widths, so that another vCPU sees them whole.
void StoreRam(uint8_t* host, const uint8_t* from, uint32_t bytes) {
  switch (bytes) {
    case 8: __builtin_memcpy(host, from, 8); break;
    case 4: __builtin_memcpy(host, from, 4); break;
    case 2: __builtin_memcpy(host, from, 2); break;
    default: CopyBytes(host, from, bytes);
  }
}

}  // namespace

Outcome RaiseWithCode(Cpu& cpu, Vector vector, uint32_t error_code) {
  cpu.exception = {
      .vector = static_cast<uint8_t>(vector), .has_error_code = true, .error_code = error_code};
  return Outcome::kException;
}

Outcome Raise(Cpu& cpu, Vector vector) {
  cpu.exception = {.vector = static_cast<uint8_t>(vector)};
  return Outcome::kException;
}

Outcome RaisePageFault(Cpu& cpu, uint64_t linear, uint32_t error_code) {
  RaiseWithCode(cpu, Vector::kPageFault, error_code);
  cpu.exception.address = linear;
  return Outcome::kException;
}

TlbIndex CurrentTlbIndex(const Cpu& cpu) {
  if (PrivilegeLevel(cpu) == 3) return TlbIndex::kUser;
  const bool ac = (cpu.rflags & kFlagAc) != 0 && (cpu.cr4 & kCr4Smap) != 0;
  return ac ? TlbIndex::kSupervisorAc : TlbIndex::kSupervisor;
}

Outcome CheckCanonical(Cpu& cpu, uint64_t linear, uint32_t bytes, bool stack) {
  if (!LongModeActive(cpu) || (IsCanonical(linear) && IsCanonical(linear + bytes - 1))) {
    return Outcome::kDone;
  }
  return RaiseWithCode(cpu, stack ? Vector::kStackFault : Vector::kGeneralProtection, 0);
}

Outcome Locate(Cpu& cpu, uint64_t linear, AccessKind kind, TlbIndex index, bool stack,
               Location& location) {
  if (kind != AccessKind::kExecute) {
    if (const DevicePage* device = FindDevicePage(cpu, index, linear, kind)) {
      location = {.physical = device->physical_page + (linear & kPageOffsetMask)};
      return Outcome::kDone;
    }
  }
  HV_RETURN_UNLESS_DONE(CheckCanonical(cpu, linear, 1, stack));
  Translation found;
  if ((cpu.cr0 & kCr0Pg) != 0) {
    found = WalkPageTables(cpu, *cpu.memory, linear, AccessThrough(index, kind));
    if (!found.ok) return RaisePageFault(cpu, linear, found.error_code);
  } else {
    found = {.ok = true,
             .physical = linear & 0xffffffffu,
             .writable = true,
             .dirty = true,
             .user_page = true,
             .executable = true};
  }
  const PhysicalPage page = cpu.memory->Find(found.physical);
  location.physical = found.physical;
  location.ram_page = page.ram_page;
  location.writable = page.writable;
  location.global = found.global;
  location.page_shift = found.page_shift;
  location.host = page.host == nullptr ? nullptr : page.host + (linear & kPageOffsetMask);
  if (kind == AccessKind::kExecute) return Outcome::kDone;
  if (page.host == nullptr) {
    EnterDevicePage(cpu, index, linear, found);
    return Outcome::kDone;
  }
  // Here, not where the TLB lets writes through: pages with code are written without it.
  if (kind == AccessKind::kWrite && page.writable && page.log_dirty) {
    cpu.memory->MarkDirty(page.ram_page);
  }
  EnterTlb(cpu, index, linear, found, page, kind);
  return Outcome::kDone;
}

Outcome ReadDevice(Cpu& cpu, uint8_t space, uint64_t address, uint8_t width, uint64_t& value) {
  if (cpu.read_cursor < cpu.read_count) {
    value = cpu.reads[cpu.read_cursor++].value;
    return Outcome::kDone;
  }
  if (cpu.read_count == kMaxPendingAccesses) {  // no instruction reads that much from a device
    value = ~uint64_t{0};
    return Outcome::kDone;
  }
  cpu.reads[cpu.read_count] = {.address = address, .value = 0, .width = width, .space = space};
  cpu.exit = {.reason = space == HV_SPACE_PORT ? ExitReason::kPortRead : ExitReason::kMmioRead,
              .width = width,
              .address = address};
  return Outcome::kExit;
}

void QueueDeviceWrite(Cpu& cpu, uint8_t space, uint64_t address, uint8_t width, uint64_t value) {
  if (cpu.write_count == kMaxPendingAccesses) return;  // wider than any instruction writes
  cpu.writes[cpu.write_count++] = {
      .address = address, .value = value, .width = width, .space = space};
}

Outcome ReadLinear(Cpu& cpu, uint64_t linear, void* to, uint32_t bytes, TlbIndex index,
                   bool stack) {
  if (const uint8_t* host = FindInTlb(cpu, index, linear, bytes, false)) {
    StoreRam(static_cast<uint8_t*>(to), host, bytes);
    return Outcome::kDone;
  }
  Pieces pieces;
  Outcome outcome = LocateRange(cpu, linear, bytes, AccessKind::kRead, index, stack, pieces);
  if (outcome == Outcome::kDone) NoteDataAccess(cpu, linear, bytes, /*write=*/false);
  auto* at = static_cast<uint8_t*>(to);
  for (int i = 0; i < pieces.count && outcome == Outcome::kDone; ++i) {
    const Piece& piece = pieces.piece[i];
    if (piece.at.host == nullptr) {
      outcome = ReadDevicePiece(cpu, piece.at.physical, at, piece.bytes);
    } else if (piece.bytes == 8) {
      __builtin_memcpy(at, piece.at.host, 8);
    } else {
      CopyBytes(at, piece.at.host, piece.bytes);
    }
    at += piece.bytes;
  }
  return outcome;
}

void NoteStore(Cpu& cpu, uint64_t physical, uint64_t ram_page, uint32_t bytes) {
  if (!cpu.code->HasCode(ram_page)) return;
  // Pages with code have no write tag whose entry would have logged this.
  cpu.memory->MarkDirty(ram_page);
  // The translator cleans up before any more guest code runs. String instructions write page after
  // page.
  if (cpu.code_write_count != 0 && cpu.code_write_count <= Cpu::kMaxCodeWrites) {
    Cpu::CodeWrite& last = cpu.code_writes[cpu.code_write_count - 1];
    if (last.physical + last.bytes == physical) {
      last.bytes += bytes;
      return;
    }
  }
  if (cpu.code_write_count < Cpu::kMaxCodeWrites) {
    cpu.code_writes[cpu.code_write_count] = {physical, bytes};
  }
  if (cpu.code_write_count <= Cpu::kMaxCodeWrites) ++cpu.code_write_count;
}

Outcome CheckWritable(Cpu& cpu, uint64_t linear, uint32_t bytes, TlbIndex index, bool stack) {
  Pieces pieces;
  return LocateRange(cpu, linear, bytes, AccessKind::kWrite, index, stack, pieces);
}

Outcome WriteLinear(Cpu& cpu, uint64_t linear, const void* from, uint32_t bytes, TlbIndex index,
                    bool stack) {
  if (uint8_t* host = FindInTlb(cpu, index, linear, bytes, true)) {
    StoreRam(host, static_cast<const uint8_t*>(from), bytes);
    return Outcome::kDone;
  }
  Pieces pieces;
  const Outcome outcome = LocateRange(cpu, linear, bytes, AccessKind::kWrite, index, stack, pieces);
  if (outcome != Outcome::kDone) return outcome;
  NoteDataAccess(cpu, linear, bytes, /*write=*/true);
  const auto* at = static_cast<const uint8_t*>(from);
  for (int i = 0; i < pieces.count; ++i) {
    const Piece& piece = pieces.piece[i];
    if (piece.at.host != nullptr && piece.at.writable) {
      StoreRam(piece.at.host, at, piece.bytes);
      NoteStore(cpu, piece.at.physical, piece.at.ram_page, piece.bytes);
    } else {  // a device, a hole, or ROM: the owner of the address decides
      WriteDevicePiece(cpu, piece.at.physical, at, piece.bytes);
    }
    at += piece.bytes;
  }
  return Outcome::kDone;
}

}  // namespace hv::soft
