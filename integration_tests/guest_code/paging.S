/* 4-level paging: page sizes, accessed and dirty bits, reserved bits, what INVLPG makes visible (SDM
 * vol. 3, 4.5 to 4.10). */
#include "integration_tests/guest_code/guest.inc"

#define PDPT 0x2000
#define DIRECTORY 0x401000
#define TABLE 0x402000
#define PAGES 0x500000
/* The linear addresses of what DIRECTORY and TABLE map, and of a 1 GiB page. */
#define LINEAR 0x40000000
#define LARGE 0x80000000
#define EFER 0xc0000080

#define EXPECT_ENTRY(value, address) \
  mov address, %rax               ; \
  EXPECT_EQ($(value), %rax)

BEGIN(paging)
  SET_UP
  movq $(DIRECTORY | 7), PDPT + 8
  movq $(TABLE | 7), DIRECTORY
  movq $(PAGES | 7), TABLE
  movq $(PAGES + 0x1000 + 5), TABLE + 8
  movl $0x1111, PAGES
  movl $0x2222, PAGES + 0x1000
  /* A read sets accessed bits all the way down; a write the dirty bit of the last entry. */
  mov $LINEAR, %ebx
  mov (%rbx), %ecx
  EXPECT_EQ($0x1111, %ecx)
  EXPECT_ENTRY(DIRECTORY | 0x27, PDPT + 8)
  EXPECT_ENTRY(TABLE | 0x27, DIRECTORY)
  EXPECT_ENTRY(PAGES | 0x27, TABLE)
  movl $0x3333, (%rbx)
  EXPECT_ENTRY(PAGES | 0x67, TABLE)
  EXPECT_ENTRY(TABLE | 0x27, DIRECTORY)
  mov PAGES, %ecx
  EXPECT_EQ($0x3333, %ecx)
  /* Cleared bits come back once the buffers are told. */
  movq $(PAGES | 7), TABLE
  invlpg (%rbx)
  addl $1, (%rbx)
  EXPECT_ENTRY(PAGES | 0x67, TABLE)
  /* A write that is not allowed leaves no dirty bit. */
  lea 0x1000(%rbx), %rsi
  EXPECT_FAULT(14, 3, movl $1, (%rsi))
  mov TABLE + 8, %rax
  test $0x40, %al
  jz 1f
  FAIL
1:
  mov (%rsi), %ecx
  EXPECT_EQ($0x2222, %ecx)
  /* Rights are those of all levels together. */
  movq $(TABLE | 5), DIRECTORY
  invlpg (%rbx)
  EXPECT_FAULT(14, 3, movl $1, (%rbx))
  mov (%rbx), %ecx
  EXPECT_EQ($0x3334, %ecx)
  movq $(TABLE | 7), DIRECTORY
  /* A changed entry is seen after INVLPG, and at the latest after MOV CR3. */
  movq $(PAGES + 0x1000 + 7), TABLE
  invlpg (%rbx)
  mov (%rbx), %ecx
  EXPECT_EQ($0x2222, %ecx)
  movq $(PAGES | 7), TABLE
  mov %cr3, %rax
  mov %rax, %cr3
  mov (%rbx), %ecx
  EXPECT_EQ($0x3334, %ecx)
  /* INVLPG drops a 2 MiB page by any address in it. */
  movq $(0x600000 | 0x87), DIRECTORY + 8
  movl $0x66, 0x600000
  movl $0x88, 0x800000
  mov $LINEAR + 0x200000, %esi
  mov (%rsi), %ecx
  EXPECT_EQ($0x66, %ecx)
  mov 0x1ff000(%rsi), %ecx
  EXPECT_ENTRY(0x600000 | 0xa7, DIRECTORY + 8)
  movq $(0x800000 | 0x87), DIRECTORY + 8
  invlpg 0x123456(%rsi)
  mov (%rsi), %ecx
  EXPECT_EQ($0x88, %ecx)
  movl $1, 0x10(%rsi)
  EXPECT_ENTRY(0x800000 | 0xe7, DIRECTORY + 8)
  /* A 1 GiB page. */
  movq $0x87, PDPT + 16
  mov $LARGE + PAGES, %edi
  mov (%rdi), %ecx
  EXPECT_EQ($0x3334, %ecx)
  EXPECT_ENTRY(0xa7, PDPT + 16)
  movl $0x4444, (%rdi)
  EXPECT_ENTRY(0xe7, PDPT + 16)
  mov PAGES, %ecx
  EXPECT_EQ($0x4444, %ecx)
  /* An instruction fetched through one. */
  movb $0xc3, PAGES + 0x20
  lea 0x20(%rdi), %rsi
  call *%rsi
  /* Reserved bits: of large pages, of the PML4, beyond the physical address width. */
  movq $0x2087, PDPT + 16
  invlpg (%rdi)
  EXPECT_FAULT(14, 9, mov (%rdi), %eax)
  EXPECT_FAULT(14, 11, mov %eax, (%rdi))
  movq $(0x800000 | 0x2087), DIRECTORY + 8
  mov $LINEAR + 0x200000, %esi
  invlpg (%rsi)
  EXPECT_FAULT(14, 9, mov (%rsi), %eax)
  movq $(PDPT | 0x87), PML4 + 8
  mov $0x8000000000, %rdi
  EXPECT_FAULT(14, 9, mov (%rdi), %eax)
  movq $(PDPT | 7), PML4 + 8
  mov SCRATCH(%rdi), %eax
  mov $(1 << 47), %rax
  or $(PAGES | 7), %rax
  mov %rax, TABLE
  invlpg (%rbx)
  EXPECT_FAULT(14, 9, mov (%rbx), %eax)
  /* No-execute: reading is fine; without EFER.NXE the bit is reserved. */
  mov $(1 << 63), %rax
  or $(PAGES | 7), %rax
  mov %rax, TABLE
  invlpg (%rbx)
  mov (%rbx), %ecx
  EXPECT_EQ($0x4444, %ecx)
  lea 1f(%rip), %r15
  movb $0xc3, PAGES
  jmp *%rbx
1:
  EXPECT_EQ($14, %r14)
  EXPECT_EQ($0x11, %r13)
  mov $EFER, %ecx
  rdmsr
  btr $11, %eax
  wrmsr
  EXPECT_FAULT(14, 9, mov (%rbx), %eax)
  mov $EFER, %ecx
  rdmsr
  bts $11, %eax
  wrmsr
  mov (%rbx), %ecx
  /* Anywhere on the way down. */
  movq $(PAGES | 7), TABLE
  mov $(1 << 63), %rax
  or $(TABLE | 7), %rax
  mov %rax, DIRECTORY
  invlpg (%rbx)
  mov $-1, %r14
  lea 1f(%rip), %r15
  jmp *%rbx
1:
  EXPECT_EQ($14, %r14)
  EXPECT_EQ($0x11, %r13)
  /* Addresses that are not canonical. */
  mov $0x0000800000000000, %rdi
  EXPECT_FAULT(13, 0, mov (%rdi), %eax)
  EXPECT_FAULT(12, 0, mov (%rsp, %rdi), %eax)
  EXPECT_FAULT(13, 0, mov -1(%rdi), %eax)
  mov %rsp, %r8
  mov %rdi, %rsp
  invlpg (%rdi)
  mov %r8, %rsp
  /* LMA cannot be left by PAE, nor LME while paging is on. */
  mov %cr4, %rax
  btr $5, %rax
  EXPECT_FAULT(13, 0, mov %rax, %cr4)
  mov $EFER, %ecx
  rdmsr
  btr $8, %eax
  EXPECT_FAULT(13, 0, wrmsr)
  mov %cr0, %rax
  btr $31, %rax
  EXPECT_FAULT(13, 0, mov %rax, %cr0)
  hlt
TABLES
END(paging)
