/* 32-bit paging with 4 KiB and 4 MiB pages, PAE paging with 4 KiB and 2 MiB ones (SDM vol. 3, 4.3 and
 * 4.4). */
#include "integration_tests/guest_code/guest.inc"
#include "integration_tests/guest_code/guest32.inc"

#define ROOT 0x600000
#define TABLE 0x601000
#define PAGES 0x500000
/* Linear addresses of the pages under test: of 4 KiB, and large. */
#define LINEAR 0x40000000
#define LARGE 0x50000000
#define PSE (1 << 4)
#define PAE (1 << 5)

#define EXPECT_ENTRY(value, address) EXPECT_LONG((value), address)

BEGIN(legacy_paging)
  SET_UP
  SET_UP32
  movl $0x1111, PAGES
  movl $0x8888, 0x800000
  movl $0x9999, 0xa00000
  TO_PROTECTED_MODE
  /* 32-bit paging: RAM in four 4 MiB pages. */
  mov $ROOT, %edi
  mov $0x1000, %ecx
  xor %eax, %eax
  rep stosl
  movl $0x83, ROOT
  movl $(0x400000 | 0x83), ROOT + 4
  movl $(0x800000 | 0x83), ROOT + 8
  movl $(TABLE | 7), ROOT + (LINEAR >> 22) * 4
  movl $(PAGES | 7), TABLE
  movl $(PAGES + 0x1000 + 5), TABLE + 4
  movl $(0x800000 | 0x87), ROOT + (LARGE >> 22) * 4
  mov %cr4, %eax
  and $~PAE, %eax
  or $PSE, %eax
  mov %eax, %cr4
  mov $ROOT, %eax
  mov %eax, %cr3
  mov %cr0, %eax
  or $0x80000000, %eax
  mov %eax, %cr0
  mov LINEAR, %ebx
  EXPECT_EQ($0x1111, %ebx)
  EXPECT_ENTRY(TABLE | 0x27, ROOT + (LINEAR >> 22) * 4)
  EXPECT_ENTRY(PAGES | 0x27, TABLE)
  movl $0x2222, LINEAR
  EXPECT_ENTRY(PAGES | 0x67, TABLE)
  EXPECT_LONG(0x2222, PAGES)
  mov LARGE, %ebx
  EXPECT_EQ($0x8888, %ebx)
  EXPECT_ENTRY(0x800000 | 0xa7, ROOT + (LARGE >> 22) * 4)
  movl $0x3333, LARGE + 0x200000
  EXPECT_ENTRY(0x800000 | 0xe7, ROOT + (LARGE >> 22) * 4)
  EXPECT_LONG(0x3333, 0xa00000)
  /* Faults: write protection, nothing there, a reserved bit (21) of a large page. */
  EXPECT32_FAULT(14, 3, movl $1, LINEAR + 0x1000)
  mov %cr2, %eax
  EXPECT_EQ($(LINEAR + 0x1000), %eax)
  EXPECT32_FAULT(14, 0, mov LINEAR + 0x2000, %eax)
  EXPECT32_FAULT(14, 2, movl $1, LINEAR + 0x2000)
  movl $(0x800000 | 0x200087), ROOT + (LARGE >> 22) * 4
  invlpg LARGE
  EXPECT32_FAULT(14, 9, mov LARGE, %eax)
  /* Without CR4.PSE the entry names a table. */
  movl $(TABLE | 0x87), ROOT + (LARGE >> 22) * 4
  mov $ROOT + 0x2000, %edi
  mov $ROOT, %esi
  mov $0x400, %ecx
  rep movsl
  movl $(TABLE + 0x2000 + 7), ROOT + 0x2000
  mov $TABLE + 0x2000, %edi
  mov $7, %eax
1:
  mov %eax, (%edi)
  add $4, %edi
  add $0x1000, %eax
  cmp $0x400007, %eax
  jne 1b
  movl $(TABLE | 7), ROOT + 0x2000 + (LARGE >> 22) * 4
  orl $0x80, ROOT + 0x2000 + (LARGE >> 22) * 4
  mov $ROOT + 0x2000, %eax
  mov %eax, %cr3
  mov %cr4, %eax
  and $~PSE, %eax
  mov %eax, %cr4
  mov LARGE, %ebx
  EXPECT_EQ($0x2222, %ebx)
  mov %cr0, %eax
  and $0x7fffffff, %eax
  mov %eax, %cr0
  /* PAE paging. */
  mov $ROOT, %edi
  mov $0x1000, %ecx
  xor %eax, %eax
  rep stosl
  movl $(ROOT + 0x1000 + 1), ROOT
  movl $(ROOT + 0x2000 + 1), ROOT + 8
  mov $ROOT + 0x1000, %edi
  mov $0xe3, %eax
1:
  mov %eax, (%edi)
  add $8, %edi
  add $0x200000, %eax
  cmp $0x10000e3, %eax
  jne 1b
  movl $(ROOT + 0x3000 + 7), ROOT + 0x2000
  movl $(PAGES | 7), ROOT + 0x3000
  movl $(PAGES + 0x1000 + 5), ROOT + 0x3008
  movl $(0xa00000 | 0x87), ROOT + 0x2000 + (LARGE >> 21 & 511) * 8
  mov %cr4, %eax
  or $PAE, %eax
  mov %eax, %cr4
  mov $ROOT, %eax
  mov %eax, %cr3
  mov %cr0, %eax
  or $0x80000000, %eax
  mov %eax, %cr0
  mov LINEAR, %ebx
  EXPECT_EQ($0x2222, %ebx)
  EXPECT_ENTRY(ROOT + 0x2001, ROOT + 8)
  EXPECT_ENTRY(ROOT + 0x3000 + 0x27, ROOT + 0x2000)
  EXPECT_ENTRY(PAGES | 0x27, ROOT + 0x3000)
  movl $0x4444, LINEAR
  EXPECT_ENTRY(PAGES | 0x67, ROOT + 0x3000)
  EXPECT_LONG(0x4444, PAGES)
  mov LARGE, %ebx
  EXPECT_EQ($0x3333, %ebx)
  EXPECT32_FAULT(14, 3, movl $1, LINEAR + 0x1000)
  EXPECT32_FAULT(14, 0, mov LINEAR + 0x2000, %eax)
  /* No-execute and reserved bits in the upper halves. */
  movl $0x80000000, ROOT + 0x3004
  invlpg LINEAR
  mov LINEAR, %ebx
  mov $LINEAR, %esi
  mov %esp, %ebp
  movl $-1, TRAP_VECTOR
  movl $AT(1f), TRAP_RESUME
  call *%esi
1:
  mov %ebp, %esp
  EXPECT_LONG(14, TRAP_VECTOR)
  EXPECT_LONG(0x11, TRAP_ERROR)
  EXPECT_LONG(LINEAR, TRAP_EIP)
  movl $0x00100000, ROOT + 0x3004
  invlpg LINEAR
  EXPECT32_FAULT(14, 9, mov LINEAR, %eax)
  movl $0x2000, %eax
  orl %eax, ROOT + 0x2000 + (LARGE >> 21 & 511) * 8
  invlpg LARGE
  EXPECT32_FAULT(14, 9, mov LARGE, %eax)
  TO_LONG_MODE
  hlt
TABLES
TABLES32
END(legacy_paging)
