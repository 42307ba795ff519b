"""hv_proto_library: C++ messages and gRPC stubs of .proto files, made by Debian's protoc."""

def hv_proto_library(name, srcs, deps = [], visibility = None):
    """Generates and compiles .pb.{h,cc} and .grpc.pb.{h,cc}.

    Included by path from the root of the tree: #include "proto/hv/v1/machine.pb.h".

    Args:
      name: the cc_library; `name`_srcs is the filegroup of its .proto files.
      srcs: .proto files, named from this package.
      deps: other hv_proto_library targets whose files these import.
      visibility: as everywhere.
    """
    native.filegroup(
        name = name + "_srcs",
        srcs = srcs + [dep + "_srcs" for dep in deps],
        visibility = ["//visibility:public"],
    )
    stems = [src[:-len(".proto")] for src in srcs]
    headers = [stem + suffix for stem in stems for suffix in [".pb.h", ".grpc.pb.h"]]
    sources = [stem + suffix for stem in stems for suffix in [".pb.cc", ".grpc.pb.cc"]]
    native.genrule(
        name = name + "_generate",
        srcs = [":" + name + "_srcs"],
        outs = headers + sources,
        cmd = " ".join([
            "protoc -I. --cpp_out=$(GENDIR) --grpc_out=$(GENDIR)",
            "--plugin=protoc-gen-grpc=$$(command -v grpc_cpp_plugin)",
            " ".join([native.package_name() + "/" + src for src in srcs]),
        ]),
    )
    native.cc_library(
        name = name,
        srcs = sources,
        hdrs = headers,
        copts = ["-w"],
        visibility = visibility,
        deps = deps + ["//third_party:grpc"],
    )
