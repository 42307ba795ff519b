"""hv_asl: an ACPI table compiled from ASL at build time, as a C array."""

def hv_asl(name, src, array, namespace):
    """Compiles `src` with iasl into the header `name`.h.

    Args:
      name: of the header and the target.
      src: the .asl file.
      array: name of the `constexpr unsigned char` array.
      namespace: where it lies.
    """
    native.genrule(
        name = name + "_compile",
        srcs = [src],
        outs = [name + ".h"],
        cmd = " && ".join([
            "export PATH=$$PATH:/usr/sbin:/usr/bin",
            "work=$$(mktemp -d)",
            "iasl -p $$work/table $(SRCS) > $$work/log 2>&1 || (cat $$work/log; exit 1)",
            "(echo '// Compiled from %s.'; echo '#pragma once'" % src,
            "echo 'namespace %s { inline constexpr unsigned char %s[] = {'" % (namespace, array),
            "od -An -v -tu1 $$work/table.aml | sed 's/\\([0-9]\\)\\( \\|$$\\)/\\1, /g'",
            "echo '}; }') > $@",
            "rm -r $$work",
        ]),
    )
    native.cc_library(
        name = name,
        hdrs = [name + ".h"],
    )
