/* A PVH kernel (ELF64 with the note XEN_ELFNOTE_PHYS32_ENTRY): says on one line what the loader left
 * for it, then exits with code 0. Its ELF entry exits with code 1: who takes it did not see the note. */
#include "integration_tests/boot_kernels/print.inc"

#define XEN_ELFNOTE_PHYS32_ENTRY 18

/* hvm_start_info. Addresses are of 64 bits, all below 4 GiB here. */
#define INFO_MAGIC 0
#define INFO_VERSION 4
#define INFO_FLAGS 8
#define INFO_MODULE_COUNT 12
#define INFO_MODULES 16
#define INFO_COMMAND_LINE 24
#define INFO_RSDP 32
#define INFO_MAP 40
#define INFO_MAP_ENTRIES 48
/* hvm_modlist_entry. */
#define MODULE_START 0
#define MODULE_BYTES 8
#define MODULE_ENTRY_BYTES 32
/* hvm_memmap_table_entry. */
#define RANGE_START 0
#define RANGE_BYTES 8
#define RANGE_TYPE 16
#define RANGE_ENTRY_BYTES 24

#define RSDP_SIGNATURE_BYTES 8

  .section .note.Xen, "a", @note
  .balign 4
  .long 4, 4, XEN_ELFNOTE_PHYS32_ENTRY
  .asciz "Xen"
  .long start

  .text
  .code32
  .globl start
start:
  mov $stack_top, %esp
  cld
  pushf
  pop %ebp
  mov %cr0, %ecx
  mov %cr4, %edx
  SAY "pvh: magic="
  SAY_HEX INFO_MAGIC(%ebx)
  SAY " version="
  SAY_HEX INFO_VERSION(%ebx)
  SAY " cr0="
  SAY_HEX %ecx
  SAY " cr4="
  SAY_HEX %edx
  SAY " eflags="
  SAY_HEX %ebp
  SAY " bss="
  SAY_HEX uninitialized
  SAY " flags="
  SAY_HEX INFO_FLAGS(%ebx)
  SAY " command=["
  SAY_STRING INFO_COMMAND_LINE(%ebx)
  SAY "] rsdp=["
  mov INFO_RSDP(%ebx), %edi
  lea RSDP_SIGNATURE_BYTES(%edi), %esi
  SAY_BYTES %edi, %esi
  SAY "] modules="
  SAY_HEX INFO_MODULE_COUNT(%ebx)
  mov INFO_MODULES(%ebx), %edi
  mov INFO_MODULE_COUNT(%ebx), %ecx
  jecxz modules_done
next_module:
  SAY " "
  SAY_HEX MODULE_START(%edi)
  SAY "+"
  SAY_HEX MODULE_BYTES(%edi)
  SAY "=["
  mov MODULE_START(%edi), %esi
  add MODULE_BYTES(%edi), %esi
  SAY_BYTES MODULE_START(%edi), %esi
  SAY "]"
  add $MODULE_ENTRY_BYTES, %edi
  dec %ecx
  jnz next_module
modules_done:
  SAY " map="
  mov INFO_MAP(%ebx), %edi
  mov INFO_MAP_ENTRIES(%ebx), %ecx
  jecxz ranges_done
next_range:
  SAY_HEX RANGE_START + 4(%edi)
  SAY_HEX RANGE_START(%edi)
  SAY "+"
  SAY_HEX RANGE_BYTES + 4(%edi)
  SAY_HEX RANGE_BYTES(%edi)
  SAY ":"
  SAY_HEX RANGE_TYPE(%edi)
  SAY " "
  add $RANGE_ENTRY_BYTES, %edi
  dec %ecx
  jnz next_range
ranges_done:
  SAY "end\n"
  LEAVE 0

PRINT_ROUTINES

  .text
  .code64
  .globl elf_entry
elf_entry:
  LEAVE 1

  .bss
  .balign 16
uninitialized:
  .skip 4
  .skip 4092
stack_top:
