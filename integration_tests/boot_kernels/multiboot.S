/* A Multiboot 1 kernel: says on one line what the loader left for it, then exits with code 0. As ELF32
 * it has no address fields; with FLAT it is a bare image placed by them. */
#include "integration_tests/boot_kernels/print.inc"

#define PAGE_ALIGNED_MODULES 0x1
#define MEMORY_INFORMATION 0x2
#define ADDRESS_FIELDS 0x10000
#ifdef FLAT
#define FLAGS (PAGE_ALIGNED_MODULES | MEMORY_INFORMATION | ADDRESS_FIELDS)
#else
#define FLAGS (PAGE_ALIGNED_MODULES | MEMORY_INFORMATION)
#endif

/* multiboot_info. */
#define INFO_FLAGS 0
#define INFO_LOWER_KIB 4
#define INFO_UPPER_KIB 8
#define INFO_COMMAND_LINE 16
#define INFO_MODULE_COUNT 20
#define INFO_MODULES 24
#define INFO_MAP_BYTES 44
#define INFO_MAP 48
#define INFO_LOADER_NAME 64
/* A module. */
#define MODULE_START 0
#define MODULE_END 4
#define MODULE_COMMAND_LINE 8
#define MODULE_BYTES 16
/* An entry of the memory map. */
#define RANGE_BYTES_THAT_FOLLOW 0
#define RANGE_START 4
#define RANGE_BYTES 12
#define RANGE_TYPE 20

  .section .header, "a"
  .balign 4
header:
  .long HEADER_MAGIC, FLAGS, -(HEADER_MAGIC + FLAGS)
#ifdef FLAT
  .long header, image_begin, image_end, bss_end, start
#endif

  .text
  .code32
  .globl start
start:
  mov $stack_top, %esp
  cld
  pushf
  pop %ebp
  mov %cr0, %ecx
  SAY "multiboot: magic="
  SAY_HEX %eax
  SAY " cr0="
  SAY_HEX %ecx
  SAY " eflags="
  SAY_HEX %ebp
  SAY " bss="
  SAY_HEX uninitialized
  SAY " flags="
  SAY_HEX INFO_FLAGS(%ebx)
  SAY " lower="
  SAY_HEX INFO_LOWER_KIB(%ebx)
  SAY " upper="
  SAY_HEX INFO_UPPER_KIB(%ebx)
  SAY " loader=["
  SAY_STRING INFO_LOADER_NAME(%ebx)
  SAY "] command=["
  SAY_STRING INFO_COMMAND_LINE(%ebx)
  SAY "] modules="
  SAY_HEX INFO_MODULE_COUNT(%ebx)
  mov INFO_MODULES(%ebx), %edi
  mov INFO_MODULE_COUNT(%ebx), %ecx
  jecxz modules_done
next_module:
  SAY " "
  SAY_HEX MODULE_START(%edi)
  SAY "-"
  SAY_HEX MODULE_END(%edi)
  SAY "=["
  SAY_STRING MODULE_COMMAND_LINE(%edi)
  SAY "]["
  SAY_BYTES MODULE_START(%edi), MODULE_END(%edi)
  SAY "]"
  add $MODULE_BYTES, %edi
  dec %ecx
  jnz next_module
modules_done:
  SAY " map="
  mov INFO_MAP(%ebx), %edi
  mov INFO_MAP_BYTES(%ebx), %ebp
  add %edi, %ebp
next_range:
  cmp %ebp, %edi
  jae ranges_done
  SAY_HEX RANGE_START + 4(%edi)
  SAY_HEX RANGE_START(%edi)
  SAY "+"
  SAY_HEX RANGE_BYTES + 4(%edi)
  SAY_HEX RANGE_BYTES(%edi)
  SAY ":"
  SAY_HEX RANGE_TYPE(%edi)
  SAY " "
  add RANGE_BYTES_THAT_FOLLOW(%edi), %edi
  add $4, %edi
  jmp next_range
ranges_done:
  SAY "end\n"
  LEAVE 0

PRINT_ROUTINES

  .bss
  .balign 16
uninitialized:
  .skip 4
  .skip 4092
stack_top:
