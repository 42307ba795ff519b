"""How code is compiled that runs while a guest's vector registers are in the host's."""

# It may not touch a vector, x87 or MMX register nor call what does: no sanitizer runtime, no memcpy or
# memset made from loops. Optimized always, so that the small templates it uses become part of it: a
# copy that the linker shares might come from code compiled otherwise.
# //hv_kernel:general_registers_test looks at the result.
GENERAL_REGISTERS_COPTS = [
    "-mgeneral-regs-only",
    "-O2",
    "-fno-tree-loop-distribute-patterns",
    "-fno-sanitize=all",
    "-fno-stack-protector",
]
