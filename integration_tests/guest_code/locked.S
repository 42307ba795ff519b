/* Locked and other read-modify-write instructions at awkward places (SDM vol. 3, 8.1). */
#include "integration_tests/guest_code/guest.inc"

#define LINEAR 0xc00000
#define EDGE (SCRATCH + 0xffc)

BEGIN(locked)
  SET_UP
  /* Across two pages. */
  movl $-1, EDGE
  movl $0, EDGE + 4
  lock incq EDGE
  EXPECT_LONG(0, EDGE)
  EXPECT_LONG(1, EDGE + 4)
  mov $2, %ecx
  lock xaddl %ecx, EDGE + 2
  EXPECT_EQ($0x10000, %ecx)
  EXPECT_LONG(0x20000, EDGE)
  EXPECT_LONG(1, EDGE + 4)
  mov $5, %ecx
  xchg %rcx, EDGE
  EXPECT_EQ($0x20000, %ecx)
  EXPECT_LONG(5, EDGE)
  mov $5, %eax
  mov $7, %ecx
  lock cmpxchgq %rcx, EDGE
  jz 1f
  FAIL
1:
  EXPECT_LONG(7, EDGE)
  lock cmpxchgq %rcx, EDGE
  EXPECT_EQ($7, %rax)
  lock btsl $31, EDGE + 1
  EXPECT_LONG(0x80, EDGE + 4)
  /* Both pages have to be there and writable, or nothing happens. */
  movl $0, PAGE_DIRECTORY + 8 * 6
  invlpg LINEAR
  movl $3, LINEAR - 4
  EXPECT_FAULT(14, 2, lock incq LINEAR - 4)
  EXPECT_LONG(3, LINEAR - 4)
  mov %cr2, %rax
  EXPECT_EQ($LINEAR, %rax)
  movl $(0xc00000 | 0xe5), PAGE_DIRECTORY + 8 * 6
  EXPECT_FAULT(14, 3, lock incq LINEAR - 4)
  EXPECT_LONG(3, LINEAR - 4)
  /* CMPXCHG writes even when it fails to compare. */
  xor %eax, %eax
  movl $1, SCRATCH
  EXPECT_FAULT(14, 3, lock cmpxchgl %ecx, LINEAR)
  /* Sixteen bytes have to be aligned. */
  mov $SCRATCH + 8, %esi
  EXPECT_FAULT(13, 0, lock cmpxchg16b (%rsi))
  mov $SCRATCH + 0x10, %esi
  movq $1, (%rsi)
  movq $2, 8(%rsi)
  mov $1, %eax
  mov $2, %edx
  mov $3, %ebx
  mov $4, %ecx
  lock cmpxchg16b (%rsi)
  jz 1f
  FAIL
1:
  EXPECT_LONG(3, (%rsi))
  EXPECT_LONG(4, 8(%rsi))
  lock cmpxchg8b EDGE
  /* On a page that holds code. */
  movl $0, AT(counter)
  mov $100, %ecx
1:
  lock incl AT(counter)
  loop 1b
  EXPECT_LONG(100, AT(counter))
  /* LOCK belongs before few instructions, and those must write memory. */
  EXPECT_FAULT(6, 0, .byte 0xf0, 0x90)
  EXPECT_FAULT(6, 0, .byte 0xf0, 0x01, 0xc0)
  EXPECT_FAULT(6, 0, .byte 0xf0, 0x8b, 0x06)
  EXPECT_FAULT(6, 0, .byte 0xf0, 0x39, 0x06)
  hlt
counter:
  .long 0
TABLES
END(locked)
