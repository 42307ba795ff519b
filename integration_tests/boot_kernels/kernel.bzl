"""hv_boot_kernel: a guest kernel assembled and linked at build time."""

_FOLDER = "//integration_tests/boot_kernels:"

def hv_boot_kernel(name, src, bits, entry = "start", defines = [], flat = False, base = None, includes = []):
    """Makes the file `name`.

    Args:
      name: of the target and of the kernel file.
      src: the .S file.
      bits: 32 or 64, of the ELF file.
      entry: symbol of the ELF entry.
      defines: preprocessor macros.
      base: address of its first byte, not 2 MiB.
      includes: further files that `src` includes.
      flat: take the bare image out of the ELF file.
    """
    native.genrule(
        name = name + "_link",
        srcs = [
            src,
            _FOLDER + "kernel.lds",
            _FOLDER + "print.inc",
            _FOLDER + "timer_interrupts.inc",
        ] + includes,
        outs = [name],
        cmd = " && ".join([
            "work=$$(mktemp -d)",
            "gcc -m%d -fno-pie %s -I. -c $(location %s) -o $$work/kernel.o" % (
                bits,
                " ".join(["-D" + define for define in defines]),
                src,
            ),
            "ld -m %s -n -no-pie --no-warn-rwx-segments --build-id=none -e %s " % (
                "elf_i386" if bits == 32 else "elf_x86_64",
                entry,
            ) + ("--defsym=KERNEL_BASE=%s " % base if base else "") + "-T $(location %skernel.lds) -o $$work/kernel $$work/kernel.o" % _FOLDER,
            ("objcopy -O binary" if flat else "cp") + " $$work/kernel $@",
            "rm -r $$work",
        ]),
        visibility = ["//bench:__subpackages__", "//integration_tests:__subpackages__"],
    )
