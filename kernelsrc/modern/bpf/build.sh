#!/bin/sh
# Compiles the probe for an architecture, as clang and libbpf name it: x86 or arm64.
# Without clang nothing changes: the objects are in the tree.
set -eu
if ! command -v clang >/dev/null; then
	echo "modern: no clang: $2 stays as it is" >&2
	exit 0
fi
clang -O2 -g -target bpf -mcpu=v2 -D__TARGET_ARCH_"$1" -Wall -Werror \
	-fdebug-prefix-map="$PWD"=. -c bpf/probe.bpf.c -o "$2"
llvm-strip -g "$2"
