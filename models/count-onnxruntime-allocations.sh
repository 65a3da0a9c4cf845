#!/bin/sh
# How many small allocations ONNX Runtime makes: a counting malloc is loaded before `latco model bench`, which runs
# with N and with 2 N runs of every graph and batch size; the difference is what the runs made (our own code makes none in them).
#   sh models/count-onnxruntime-allocations.sh BUNDLE
set -eu
bundle=${1:?usage: sh models/count-onnxruntime-allocations.sh BUNDLE}
root=$(cd "$(dirname "$0")/.." && pwd)
latco="$root/target/release/latco"
[ -x "$latco" ] || { echo "build it first: cargo build --release -p latco-ros" >&2; exit 2; }
: "${ORT_DYLIB_PATH:=$root/.cache/onnxruntime/cpu/libonnxruntime.so}"
export ORT_DYLIB_PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/count.c" <<'C'
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
extern void *__libc_malloc(size_t);
extern void *__libc_memalign(size_t, size_t);
static atomic_ulong calls;
void *malloc(size_t size) { atomic_fetch_add(&calls, 1); return __libc_malloc(size); }
int posix_memalign(void **to, size_t alignment, size_t size) {
    atomic_fetch_add(&calls, 1);
    *to = __libc_memalign(alignment, size);
    return *to ? 0 : 12;
}
__attribute__((destructor)) static void tell(void) { fprintf(stderr, "allocations %lu\n", atomic_load(&calls)); }
C
cc -O2 -shared -fPIC -o "$work/count.so" "$work/count.c"
count() {
    LD_PRELOAD="$work/count.so" "$latco" model bench "$bundle" --runs "$1" --json 2> "$work/err" > "$work/out"
    sed -n 's/^allocations //p' "$work/err"
}
few=$(count 100)
many=$(count 200)
kinds=$(grep -o '"batch"' "$work/out" | wc -l)
# a tenth more runs are made to warm up
python3 - "$few" "$many" "$kinds" <<'P'
import sys
few, many, kinds = map(int, sys.argv[1:])
print(f"{(many - few) / 110 / kinds:.0f} allocations a run, mean over {kinds} graphs and batch sizes")
P
