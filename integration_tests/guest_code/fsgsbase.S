/* Bases of FS and GS: the instructions on them, the MSRs, SWAPGS, addressing by them (SDM vol. 3, 5.8.8;
 * vol. 2). */
#include "integration_tests/guest_code/guest.inc"

#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define FSGSBASE (1 << 16)

BEGIN(fsgsbase)
  SET_UP
  movabs $0x1122334455667788, %rax
  mov %rax, SCRATCH
  movabs $0x99aabbccddeeff00, %rax
  mov %rax, SCRATCH + 0x1000
  EXPECT_FAULT(6, 0, rdfsbase %rax)
  EXPECT_FAULT(6, 0, rdgsbase %rax)
  EXPECT_FAULT(6, 0, wrfsbase %rax)
  EXPECT_FAULT(6, 0, wrgsbase %rax)
  mov %cr4, %rax
  or $FSGSBASE, %eax
  mov %rax, %cr4
  mov $SCRATCH, %ecx
  wrfsbase %rcx
  mov $SCRATCH + 0x1000, %ecx
  wrgsbase %rcx
  mov %fs:0, %rcx
  EXPECT_EQ(SCRATCH, %rcx)
  mov %gs:0, %rcx
  EXPECT_EQ(SCRATCH + 0x1000, %rcx)
  mov $-0xff8, %rdx
  mov %gs:-8(%rdx), %rcx
  EXPECT_EQ(SCRATCH, %rcx)
  rdfsbase %rcx
  EXPECT_EQ($SCRATCH, %rcx)
  mov $-1, %rcx
  rdgsbase %ecx
  EXPECT_EQ($(SCRATCH + 0x1000), %rcx)
  /* With an address of 32 bits the base is added after the sum has wrapped. */
  mov $SCRATCH, %ecx
  wrfsbase %rcx
  mov $0xfffff000, %edx
  mov %fs:0x1000(%edx), %rcx
  EXPECT_EQ(SCRATCH, %rcx)
  /* LEA and others know no base (the prefix by hand: the assembler warns of it). */
  mov $5, %edx
  .byte 0x64
  lea 1(%rdx), %rcx
  EXPECT_EQ($6, %rcx)
  /* 32-bit writes clear the upper half; addresses that are not canonical do not go in. */
  mov $0xffff800000000000, %rcx
  wrfsbase %rcx
  wrfsbase %ecx
  rdfsbase %rcx
  EXPECT_EQ($0, %rcx)
  mov $0x0000800000000000, %rdx
  EXPECT_FAULT(13, 0, wrfsbase %rdx)
  EXPECT_FAULT(13, 0, wrgsbase %rdx)
  /* An access that the base takes out of the canonical range. */
  mov $0x00007fffffffffff, %rdx
  wrfsbase %rdx
  EXPECT_FAULT(13, 0, mov %fs:1, %al)
  /* The MSRs are the same registers. */
  mov $MSR_FS_BASE, %ecx
  rdmsr
  EXPECT_EQ($0xffffffff, %eax)
  EXPECT_EQ($0x7fff, %edx)
  mov $MSR_KERNEL_GS_BASE, %ecx
  xor %edx, %edx
  mov $SCRATCH, %eax
  wrmsr
  mov $0x8000, %edx
  EXPECT_FAULT(13, 0, wrmsr)
  swapgs
  mov %gs:0, %rcx
  EXPECT_EQ(SCRATCH, %rcx)
  mov $MSR_KERNEL_GS_BASE, %ecx
  rdmsr
  EXPECT_EQ($(SCRATCH + 0x1000), %eax)
  mov $MSR_GS_BASE, %ecx
  rdmsr
  EXPECT_EQ($SCRATCH, %eax)
  /* A selector loaded brings its descriptor's base. */
  mov $KERNEL_DATA, %ecx
  mov %ecx, %fs
  rdfsbase %rcx
  EXPECT_EQ($0, %rcx)
  /* Ring 3 may read and write them, but not swap. */
  ENTER_USER(user)
user:
  mov $SCRATCH, %ecx
  wrgsbase %rcx
  rdgsbase %rdx
  EXPECT_EQ(%rcx, %rdx)
  EXPECT_FAULT(13, 0, swapgs)
  SET_GATE 0x40, leave_user, 3
  int $0x40
leave_user:
  hlt
TABLES
END(fsgsbase)
