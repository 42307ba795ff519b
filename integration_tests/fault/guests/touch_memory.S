/* A Multiboot kernel that touches memory which nobody has touched before: one page in each 17, so that
 * each is a page fault of its own on whatever the host's granule is, up and then down through the
 * memory. Each page takes its own address; the word behind it must be zero. It says how far it is, then
 * looks whether every page still holds what was left there, and leaves when a byte is typed. */
#include "integration_tests/boot_kernels/print.inc"

#define FIRST 0x01000000 /* 16 MiB, above all that the loader has filled */
#define LAST 0x1f000000  /* of 512 MiB */
#define STEP 0x11000
#define PAGES_A_LINE 64

/* Ends it: page EDI holds something else than it should. */
.macro MUST_BE value, operand
  cmpl \value, \operand
  je 9993f
  SAY "WRONG: page "
  SAY_HEX %edi
  SAY " holds "
  SAY_HEX \operand
  SAY "\n"
  LEAVE 1
  9993:
.endm
.macro TOUCH
  MUST_BE $0, (%edi)
  mov %edi, (%edi)
  MUST_BE $0, 8(%edi)
  inc %ebp
  test $PAGES_A_LINE - 1, %ebp
  jnz 9994f
  SAY "touched "
  SAY_HEX %ebp
  SAY "\n"
  9994:
.endm

  MULTIBOOT_HEADER

  .text
  .code32
  .globl start
start:
  mov $stack_top, %esp
  xor %ebp, %ebp
  mov $FIRST, %edi
up:
  TOUCH
  add $2 * STEP, %edi
  cmp $LAST, %edi
  jb up
  /* The pages between. */
  sub $STEP, %edi
down:
  TOUCH
  sub $2 * STEP, %edi
  cmp $FIRST, %edi
  ja down
  SAY "all touched\n"
  mov $FIRST, %edi
check:
  MUST_BE %edi, (%edi)
  MUST_BE $0, 8(%edi)
  add $STEP, %edi
  cmp $LAST, %edi
  jb check
  SAY "all right\n"
  call take_byte
  LEAVE 0

PRINT_ROUTINES
  .bss
  .balign 16
  .fill 4096
stack_top:
