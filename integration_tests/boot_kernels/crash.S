/* A Multiboot 1 kernel that does not survive: TRIPLE_FAULT and TASK_SWITCH say of what it dies. */
#include "integration_tests/boot_kernels/print.inc"

#define AVAILABLE_TSS 0x89

  MULTIBOOT_HEADER

  .text
  .code32
  .globl start
start:
  mov $stack_top, %esp
  SAY "crash: "
  mov $0x12345678, %ebx
#ifdef TRIPLE_FAULT
  lidt no_table
crash_site:
  ud2
#else
  /* A far jump to a task state segment. */
  lgdt gdt_pointer
crash_site:
  ljmp $8, $0
#endif
  SAY "survived"
  LEAVE 0
PRINT_ROUTINES

  .section .rodata
  .balign 8
no_table:
  .word 0
  .long 0
gdt:
  .quad 0
  .word 0x67, 0
  .byte 0, AVAILABLE_TSS, 0, 0
gdt_pointer:
  .word gdt_pointer - gdt - 1
  .long gdt

  .bss
  .balign 16
  .fill 4096
stack_top:
