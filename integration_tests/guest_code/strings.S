/* Repeated string instructions: the registers at a fault in the middle, directions, overlaps, address
 * sizes (SDM vol. 2, REP). */
#include "integration_tests/guest_code/guest.inc"

#define LINEAR 0xc00000

BEGIN(strings)
  SET_UP
  movl $0, PAGE_DIRECTORY + 8 * 6
  invlpg LINEAR
  /* A store that reaches a missing page: what came before it is done, the registers say how far. */
  mov $SCRATCH, %esi
  mov $LINEAR - 20, %edi
  mov $16, %ecx
  movl $0x12345678, SCRATCH + 12
  EXPECT_FAULT(14, 2, rep movsl)
  EXPECT_EQ($11, %rcx)
  EXPECT_EQ($(SCRATCH + 20), %rsi)
  EXPECT_EQ($LINEAR, %rdi)
  EXPECT_LONG(0x12345678, LINEAR - 8)
  mov %cr2, %rax
  EXPECT_EQ($LINEAR, %rax)
  /* An element that lies on both pages is not stored at all. */
  mov $SCRATCH, %esi
  mov $LINEAR - 10, %edi
  mov $4, %ecx
  movl $-1, LINEAR - 4
  movq $0, SCRATCH
  movq $0, SCRATCH + 8
  EXPECT_FAULT(14, 2, rep movsl)
  EXPECT_EQ($2, %rcx)
  EXPECT_EQ($(LINEAR - 2), %rdi)
  movzwl LINEAR - 2, %eax
  EXPECT_EQ($0xffff, %eax)
  /* A load from it; downwards; across many pages. */
  mov $LINEAR - 0x3000, %esi
  mov $0x400000, %edi
  mov $0x4000, %ecx
  EXPECT_FAULT(14, 0, rep movsb)
  EXPECT_EQ($0x1000, %rcx)
  EXPECT_EQ($0x403000, %rdi)
  movl $0, PAGE_DIRECTORY + 8 * 5
  invlpg 0xa00000
  std
  mov $LINEAR + 0x8, %esi
  movl $(0xc00000 | 0xe7), PAGE_DIRECTORY + 8 * 6
  mov $0x400100, %edi
  mov $5, %ecx
  EXPECT_FAULT(14, 0, rep movsq)
  EXPECT_EQ($3, %rcx)
  EXPECT_EQ($(LINEAR - 8), %rsi)
  EXPECT_EQ($0x4000f0, %rdi)
  cld
  movl $(0xa00000 | 0xe7), PAGE_DIRECTORY + 8 * 5
  movl $0, PAGE_DIRECTORY + 8 * 6
  invlpg LINEAR
  mov $LINEAR - 3, %edi
  mov $5, %ecx
  EXPECT_FAULT(14, 2, rep stosb)
  EXPECT_EQ($2, %rcx)
  mov $LINEAR - 16, %esi
  mov $5, %ecx
  EXPECT_FAULT(14, 0, rep lodsq)
  EXPECT_EQ($3, %rcx)
  /* A comparison stops before the page if it finds what it wants, and faults if not; flags are those of
   * the last comparison. */
  movl $0x01010101, LINEAR - 4
  mov $LINEAR - 4, %edi
  mov $8, %ecx
  mov $1, %al
  repne scasb
  EXPECT_EQ($7, %rcx)
  jz 1f
  FAIL
1:
  mov $LINEAR - 4, %edi
  mov $8, %ecx
  mov $-1, %r14
  lea 2f(%rip), %r15
  mov $1, %al
1:
  repe scasb
2:
  jz 1f
  FAIL
1:
  EXPECT_EQ($14, %r14)
  EXPECT_EQ($4, %rcx)
  EXPECT_EQ($LINEAR, %rdi)
  mov $LINEAR - 4, %esi
  mov $LINEAR - 4, %edi
  mov $5, %ecx
  EXPECT_FAULT(14, 0, repe cmpsb)
  EXPECT_EQ($1, %rcx)
  /* Overlapping: a byte at a time spreads the first one. */
  movl $0x44332211, SCRATCH
  mov $SCRATCH, %esi
  mov $SCRATCH + 1, %edi
  mov $3, %ecx
  rep movsb
  EXPECT_LONG(0x11111111, SCRATCH)
  /* A count of zero touches nothing, not even flags. */
  xor %ecx, %ecx
  mov $LINEAR, %esi
  mov $LINEAR, %edi
  stc
  rep movsb
  repe cmpsb
  jc 1f
  FAIL
1:
  /* With 32-bit addresses ECX, ESI and EDI count, and come out with clear upper halves. */
  mov $0x0000000100000000 + SCRATCH, %rsi
  mov $0x0000000200000100 + SCRATCH, %rdi
  mov $0x0000000300000004, %rcx
  addr32 rep movsb
  EXPECT_EQ($0, %rcx)
  EXPECT_EQ($(SCRATCH + 4), %rsi)
  EXPECT_EQ($(SCRATCH + 0x104), %rdi)
  EXPECT_LONG(0x11111111, SCRATCH + 0x100)
  hlt
TABLES
END(strings)
