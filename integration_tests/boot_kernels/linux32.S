/* A bzImage without 64-bit entry: says on one line what the loader left for it, then exits with code 0.
 * Its first two sectors, in front of 1 MiB, are the set-up part; what follows is entered in 32-bit mode
 * (Linux Documentation/x86/boot.rst). */
#include "integration_tests/boot_kernels/print.inc"

/* boot_params. */
#define PARAMS_RSDP 0x070
#define PARAMS_MAP_ENTRIES 0x1e8
#define PARAMS_MAGIC 0x202
#define PARAMS_VERSION 0x206
#define PARAMS_LOADER_TYPE 0x210
#define PARAMS_INITRD 0x218
#define PARAMS_INITRD_BYTES 0x21c
#define PARAMS_COMMAND_LINE 0x228
#define PARAMS_MAP 0x2d0
/* An entry of the memory map. */
#define RANGE_START 0
#define RANGE_BYTES 8
#define RANGE_TYPE 16
#define RANGE_ENTRY_BYTES 20

  .section .header, "a"
set_up:
  .org set_up + 0x1f1
  .byte 1                       /* sectors of set-up behind the first */
  .org set_up + 0x1fe
  .word 0xaa55
  .byte 0xeb, header_end - 1f   /* a jump over the header */
1:
  .ascii "HdrS"
  .word 0x20f                   /* boot protocol 2.15 */
  .org set_up + 0x211
  .byte 1                       /* to be loaded at 1 MiB */
  .org set_up + 0x22c
  .long 0x7fffffff              /* the highest byte of an initrd */
  .org set_up + 0x236
  .word 0                       /* no 64-bit entry */
  .long 2047                    /* of command line */
  .org set_up + 0x258
  .quad 0x100000                /* preferred address */
  .long bss_end - 0x100000      /* memory needed from there on */
  .org set_up + 0x268
header_end:
  .org set_up + 0x400

  .text
  .code32
  .globl start
start:
  mov $stack_top, %esp
  cld
  pushf
  pop %eax
  SAY "linux32: eflags="
  SAY_HEX %eax
  SAY " magic="
  SAY_BYTES $boot_magic, $boot_magic_end
  SAY "="
  lea PARAMS_MAGIC(%esi), %eax
  lea PARAMS_MAGIC + 4(%esi), %edx
  SAY_BYTES %eax, %edx
  SAY " zero="
  or %edi, %ebp
  or %ebx, %ebp
  SAY_HEX %ebp
  SAY " cs="
  mov %cs, %eax
  SAY_HEX %eax
  SAY " ds="
  mov %ds, %eax
  SAY_HEX %eax
  SAY " cr0="
  mov %cr0, %eax
  SAY_HEX %eax
  SAY " loader="
  movzbl PARAMS_LOADER_TYPE(%esi), %eax
  SAY_HEX %eax
  SAY " command=["
  SAY_STRING PARAMS_COMMAND_LINE(%esi)
  SAY "] rsdp=["
  mov PARAMS_RSDP(%esi), %eax
  lea 8(%eax), %edx
  SAY_BYTES %eax, %edx
  SAY "] initrd=["
  mov PARAMS_INITRD(%esi), %eax
  mov PARAMS_INITRD_BYTES(%esi), %edx
  add %eax, %edx
  SAY_BYTES %eax, %edx
  SAY "] base="
  movzwl 0x413, %eax
  SAY_HEX %eax
  SAY " map="
  movzbl PARAMS_MAP_ENTRIES(%esi), %ecx
  lea PARAMS_MAP(%esi), %edi
next_range:
  jecxz ranges_done
  SAY_HEX RANGE_START(%edi)
  SAY "+"
  SAY_HEX RANGE_BYTES(%edi)
  SAY ":"
  SAY_HEX RANGE_TYPE(%edi)
  SAY " "
  add $RANGE_ENTRY_BYTES, %edi
  dec %ecx
  jmp next_range
ranges_done:
  SAY "end\n"
  LEAVE 0

PRINT_ROUTINES

  .section .rodata
boot_magic: .ascii "HdrS"
boot_magic_end:

  .bss
  .balign 16
  .skip 4096
stack_top:
