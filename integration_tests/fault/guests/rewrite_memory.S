/* A Multiboot kernel that writes the same pages over and over: in each round every page of a range,
 * each third one up and the rest down, takes the number of the round, after a look whether it holds
 * that of the round before. It says each round. A byte on COM1 makes it stop after a round and say so,
 * another one go on; an 'x' makes it leave. */
#include "integration_tests/boot_kernels/print.inc"

#define FIRST 0x01000000 /* 16 MiB */
#ifndef PAGES
#define PAGES 2048
#endif
#define PAGE 0x1000

/* To page EDI, the number of the round, EBP. */
.macro REWRITE
  lea -1(%ebp), %eax
  cmp %eax, (%edi)
  je 9993f
  SAY "WRONG: page "
  SAY_HEX %edi
  SAY " holds "
  SAY_HEX (%edi)
  SAY " in round "
  SAY_HEX %ebp
  SAY "\n"
  LEAVE 1
  9993: mov %ebp, (%edi)
.endm

  MULTIBOOT_HEADER

  .text
  .code32
  .globl start
start:
  mov $stack_top, %esp
  xor %ebp, %ebp
round:
  inc %ebp
  mov $FIRST, %edi
up:
  REWRITE
  add $3 * PAGE, %edi
  cmp $FIRST + PAGES * PAGE, %edi
  jb up
  /* The two pages between each time, of which the last may not be there. */
  sub $PAGE, %edi
down:
  cmp $FIRST + PAGES * PAGE, %edi
  jae 1f
  REWRITE
1:
  sub $PAGE, %edi
  REWRITE
  sub $2 * PAGE, %edi
  cmp $FIRST, %edi
  ja down
  SAY "round "
  SAY_HEX %ebp
  SAY "\n"
  mov $COM1_LINE_STATUS, %edx
  in %dx, %al
  test $COM1_DATA_READY, %al
  jz round
  call take_byte
  SAY "stopped\n"
  call take_byte
  cmp $'x', %al
  jne round
  LEAVE 0

PRINT_ROUTINES
  .bss
  .balign 16
  .fill 4096
stack_top:
