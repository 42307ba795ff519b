/* Code that is changed after it ran: the next execution sees the change, even by the instruction just
 * before, across pages, and through another mapping (SDM vol. 3, 11.6). */
#include "integration_tests/guest_code/guest.inc"

#define SPLIT_TABLE 0x500000
#define SPLIT_FIRST 0x501000
#define SPLIT_SECOND 0x502000
#define SPLIT_OTHER 0x503000

BEGIN(self_modifying)
  SET_UP
  /* The constant of an instruction in a loop. */
  xor %ebx, %ebx
  mov $100, %ecx
1:
  mov %ecx, AT(patched) + 1
patched:
  mov $0, %eax
  add %eax, %ebx
  dec %ecx
  jnz 1b
  EXPECT_EQ($5050, %ebx)
  /* A function elsewhere, overwritten between calls. */
  movl $0xc3c0ff90, SCRATCH          /* nop; inc %eax; ret */
  mov $SCRATCH, %esi
  xor %eax, %eax
  call *%rsi
  call *%rsi
  EXPECT_EQ($2, %eax)
  movb $0xc8, SCRATCH + 2            /* dec %eax */
  call *%rsi
  EXPECT_EQ($1, %eax)
  /* An instruction that lies on two pages, its second half changed. */
  movb $0xb8, SCRATCH + 0xffe        /* mov $0x01020304, %eax; ret */
  movl $0x01020304, SCRATCH + 0xfff
  movb $0xc3, SCRATCH + 0x1003
  mov $SCRATCH + 0xffe, %esi
  call *%rsi
  EXPECT_EQ($0x01020304, %eax)
  movb $0x55, SCRATCH + 0x1001
  call *%rsi
  EXPECT_EQ($0x01550304, %eax)
  /* By a string instruction, and by a vector store. */
  movl $0xc3c0ff90, SCRATCH
  mov $SCRATCH, %esi
  call *%rsi
  mov $SCRATCH, %edi
  mov $0xc3, %al
  mov $4, %ecx
  rep stosb
  mov $7, %eax
  call *%rsi
  EXPECT_EQ($7, %eax)
  mov $0xc3c0ff90, %eax
  movd %eax, %xmm0
  movss %xmm0, SCRATCH
  mov $7, %eax
  call *%rsi
  EXPECT_EQ($8, %eax)
  /* Through another linear address of the same page. */
  mov $SCRATCH | 0xe7, %eax
  mov %rax, PAGE_DIRECTORY + 8 * 6
  invlpg 0xc00000
  movb $0xc8, 0xc00002
  mov $8, %eax
  call *%rsi
  EXPECT_EQ($7, %eax)
  /* Another page of code at the same linear address. */
  movl $0xc3c0ff90, 0x400000
  mov $0xc00000, %esi
  mov $7, %eax
  call *%rsi
  EXPECT_EQ($6, %eax)
  mov $0x4000e7, %eax
  mov %rax, PAGE_DIRECTORY + 8 * 6
  invlpg 0xc00000
  mov $7, %eax
  call *%rsi
  EXPECT_EQ($8, %eax)
  /* Data beside code on one page, written in a loop, does not disturb it. */
  mov $0x400000, %esi
  mov $1000, %ecx
  xor %eax, %eax
1:
  mov %ecx, 0x400800
  call *%rsi
  loop 1b
  EXPECT_EQ($1000, %eax)
  /* An instruction that lies on two pages, the second of which is mapped anew, and then not at all. It
   * is reached by a jump from its own page, and from elsewhere. */
  movq $(SPLIT_TABLE | 7), PAGE_DIRECTORY + 8 * 6
  movq $(SPLIT_FIRST | 7), SPLIT_TABLE
  movq $(SPLIT_SECOND | 7), SPLIT_TABLE + 8
  movl $0x000beb90, SPLIT_FIRST + 0xff0 /* nop; jmp to the last two bytes of the page */
  movw $0x34b8, SPLIT_FIRST + 0xffe     /* mov $.....34, %eax; ret */
  movl $0xc3000012, SPLIT_SECOND
  movl $0xc3000056, SPLIT_OTHER
  invlpg 0xc00000
  invlpg 0xc01000
  mov $0xc00ff0, %esi
  mov $0xc00ffe, %edi
  mov $3, %ecx
1:
  call *%rsi
  EXPECT_EQ($0x1234, %eax)
  call *%rdi
  EXPECT_EQ($0x1234, %eax)
  loop 1b
  movq $(SPLIT_OTHER | 7), SPLIT_TABLE + 8
  invlpg 0xc01000
  call *%rsi
  EXPECT_EQ($0x5634, %eax)
  call *%rdi
  EXPECT_EQ($0x5634, %eax)
  movq $(SPLIT_SECOND | 7), SPLIT_TABLE + 8
  mov %cr3, %rax
  mov %rax, %cr3
  call *%rsi
  EXPECT_EQ($0x1234, %eax)
  movb $0x78, SPLIT_SECOND
  call *%rsi
  EXPECT_EQ($0x7834, %eax)
  movq $0, SPLIT_TABLE + 8
  invlpg 0xc01000
  lea 1f(%rip), %r15
  mov %rsp, %rbp
  mov $-1, %r14
  call *%rsi
1:
  mov %rbp, %rsp
  EXPECT_EQ($14, %r14)
  EXPECT_EQ($0x10, %r13)
  EXPECT_EQ($0xc00ffe, %r12)
  mov %cr2, %rax
  EXPECT_EQ($0xc01000, %rax)
  /* The same page twice in a row: its end and its beginning make one instruction. */
  movq $(SPLIT_FIRST | 7), SPLIT_TABLE + 8
  invlpg 0xc01000
  movl $0xc3000021, SPLIT_FIRST
  call *%rdi
  EXPECT_EQ($0x2134, %eax)
  movb $0x43, SPLIT_FIRST
  call *%rdi
  EXPECT_EQ($0x4334, %eax)
  hlt
TABLES
END(self_modifying)
