/* Address-space identifiers, global pages and their invalidation (SDM vol. 3, 4.10). Only what must be
 * seen is checked: a processor may always have forgotten more. */
#include "integration_tests/guest_code/guest.inc"

#define PCIDE (1 << 17)
#define PGE (1 << 7)
#define OTHER_ROOT 0x600000
#define OTHER_PDPT 0x601000
#define OTHER_DIRECTORY 0x602000
#define LINEAR 0xc00000
#define ENTRY (PAGE_DIRECTORY + 8 * 6)

/* Maps LINEAR to a page in this address space, without telling anybody. */
#define MAP(page, flags)           \
  movq $((page) | (flags)), ENTRY
#define EXPECT_MAPPED(value)       \
  mov LINEAR, %eax                ; \
  EXPECT_EQ($value, %eax)
#define INVPCID(kind)              \
  mov $kind, %ecx                 ; \
  invpcid SCRATCH, %rcx
#define DESCRIPTOR(pcid, address)  \
  movq $(pcid), SCRATCH           ; \
  movq $(address), SCRATCH + 8

BEGIN(pcid)
  SET_UP
  movl $0x44, 0x400000
  movl $0x88, 0x800000
  /* The same space again but for LINEAR. */
  movq $(OTHER_PDPT | 7), OTHER_ROOT
  movq $(OTHER_DIRECTORY | 7), OTHER_PDPT
  mov $PAGE_DIRECTORY, %esi
  mov $OTHER_DIRECTORY, %edi
  mov $512, %ecx
  rep movsq
  movq $(0x800000 | 0xe7), OTHER_DIRECTORY + 8 * 6
  MAP(0x400000, 0xe7)
  /* Without CR4.PCIDE, bit 63 of CR3 is reserved and bits 11:5, 2:0 count for nothing. */
  mov %cr3, %rbx
  mov %rbx, %rax
  bts $63, %rax
  EXPECT_FAULT(13, 0, mov %rax, %cr3)
  /* It cannot be set while those bits are not zero. */
  lea 1(%rbx), %rax
  mov %rax, %cr3
  mov %cr4, %rdx
  or $PCIDE, %edx
  EXPECT_FAULT(13, 0, mov %rdx, %cr4)
  mov %rbx, %cr3
  mov %rdx, %cr4
  /* Paging cannot end under it (nor in 64-bit mode). */
  mov %cr0, %rax
  btr $31, %rax
  EXPECT_FAULT(13, 0, mov %rax, %cr0)
  /* Two spaces with identifiers; bit 63 is not kept. */
  lea 1(%rbx), %r8
  mov $(OTHER_ROOT | 2), %r9d
  mov %r8, %cr3
  EXPECT_MAPPED(0x44)
  mov %r9, %cr3
  EXPECT_MAPPED(0x88)
  mov %r8, %rax
  bts $63, %rax
  mov %rax, %cr3
  EXPECT_MAPPED(0x44)
  mov %cr3, %rax
  EXPECT_EQ(%r8, %rax)
  mov %r9, %rax
  bts $63, %rax
  mov %rax, %cr3
  EXPECT_MAPPED(0x88)
  /* Loaded without bit 63, a space is read anew. */
  MAP(0x800000, 0xe7)
  mov %r8, %cr3
  EXPECT_MAPPED(0x88)
  MAP(0x400000, 0xe7)
  mov %r8, %cr3
  EXPECT_MAPPED(0x44)
  /* INVPCID of one address. */
  MAP(0x800000, 0xe7)
  DESCRIPTOR(1, LINEAR)
  INVPCID(0)
  EXPECT_MAPPED(0x88)
  /* Of one space, while it is away. */
  mov %r9, %cr3
  MAP(0x400000, 0xe7)
  DESCRIPTOR(1, 0)
  INVPCID(1)
  mov %r8, %rax
  bts $63, %rax
  mov %rax, %cr3
  EXPECT_MAPPED(0x44)
  /* Of everything, with and without what is global. */
  MAP(0x800000, 0x1e7)
  DESCRIPTOR(0, 0)
  INVPCID(3)
  EXPECT_MAPPED(0x88)
  MAP(0x400000, 0x1e7)
  INVPCID(2)
  EXPECT_MAPPED(0x44)
  /* A global page goes with INVLPG, and with a change of CR4.PGE. */
  MAP(0x800000, 0x1e7)
  invlpg LINEAR
  EXPECT_MAPPED(0x88)
  MAP(0x400000, 0x1e7)
  mov %cr4, %rax
  xor $PGE, %eax
  mov %rax, %cr4
  xor $PGE, %eax
  mov %rax, %cr4
  EXPECT_MAPPED(0x44)
  /* What INVPCID does not take: kinds, reserved bits, addresses. */
  mov $4, %ecx
  EXPECT_FAULT(13, 0, invpcid SCRATCH, %rcx)
  DESCRIPTOR(0x1000, 0)
  xor %ecx, %ecx
  EXPECT_FAULT(13, 0, invpcid SCRATCH, %rcx)
  movq $1, SCRATCH
  mov $0x8000000000000000, %rax
  mov %rax, SCRATCH + 8
  EXPECT_FAULT(13, 0, invpcid SCRATCH, %rcx)
  mov $1, %ecx
  invpcid SCRATCH, %rcx
  /* Its descriptor is read as any operand is. */
  movq $0, ENTRY
  invlpg LINEAR
  EXPECT_FAULT(14, 0, invpcid LINEAR, %rcx)
  /* Without CR4.PCIDE there is only identifier 0. */
  mov %rbx, %cr3
  mov %cr4, %rax
  xor $PCIDE, %eax
  mov %rax, %cr4
  DESCRIPTOR(1, 0)
  mov $1, %ecx
  EXPECT_FAULT(13, 0, invpcid SCRATCH, %rcx)
  hlt
TABLES
END(pcid)
