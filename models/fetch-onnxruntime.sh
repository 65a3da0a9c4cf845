#!/bin/sh
# Puts the ONNX Runtime C library into .cache/onnxruntime/ (`make onnxruntime`, `make onnxruntime-gpu`).
#
#   fetch-onnxruntime.sh [cpu]   .cache/onnxruntime/cpu/libonnxruntime.so
#   fetch-onnxruntime.sh gpu     .cache/onnxruntime/gpu/libonnxruntime.so and, beside it, the CUDA and TensorRT
#                                providers (256 MB to download, 300 MB on disk; x86-64)
#
# The library comes out of the Python wheel of ONNX Runtime; only pip and python3 are needed to unpack it,
# nothing is installed. Wheel and libraries are checked against the sums below. Running it again is free.
set -eu

version=1.31.1
build=${1:-cpu}
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
target=$root/.cache/onnxruntime/$build
place=.cache/onnxruntime/$build/libonnxruntime.so

fail() {
    echo "onnxruntime: $*" >&2
    exit 1
}

# wheel, its sum, and a line for each file: sum, name in the wheel, name here
case "$build-$(uname -s)-$(uname -m)" in
cpu-Linux-x86_64 | cpu-Linux-amd64)
    package=onnxruntime
    platform=manylinux_2_28_x86_64
    wheel_sha256=1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536
    files="fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3 libonnxruntime.so.$version libonnxruntime.so"
    ;;
cpu-Linux-aarch64 | cpu-Linux-arm64)
    package=onnxruntime
    platform=manylinux_2_28_aarch64
    wheel_sha256=0b9a492176886992e0e875f06bc0367e333f5fff11711a2d642e18b02f3009cc
    files="8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467 libonnxruntime.so.$version libonnxruntime.so"
    ;;
gpu-Linux-x86_64 | gpu-Linux-amd64)
    package=onnxruntime-gpu
    platform=manylinux_2_28_x86_64
    wheel_sha256=05d548956197b9d01f59b625de740e0d6be3593f874e241a12dc0362650ecdf7
    files="5104254339ecadae808da771bd0b63b240f0dbd466514234905e54372435c303 libonnxruntime.so.$version libonnxruntime.so
086ec1d5388f64153d9c63470d126693db9a182c8ce236d3a1119068471b8a0d libonnxruntime_providers_shared.so libonnxruntime_providers_shared.so
8387867e857499e045caff5d13ac6a5de29571c801562fa2dde0e45f1f31de52 libonnxruntime_providers_cuda.so libonnxruntime_providers_cuda.so
1882ee49fdb0e6fc2d272b00cfaf9a3310bf8580a34385c0eec4d82014ea172e libonnxruntime_providers_tensorrt.so libonnxruntime_providers_tensorrt.so"
    ;;
cpu-* | gpu-*)
    fail "no pinned $build library for $(uname -s) $(uname -m); set ORT_DYLIB_PATH to a libonnxruntime.so of version 1.22 or newer"
    ;;
*)
    fail "unknown build '$build', expected cpu or gpu"
    ;;
esac

sum_of() {
    sha256sum "$1" | cut -d ' ' -f 1
}

# Whether every file is in folder $1 with the right sum; says the first that is not.
complete() {
    while read -r sum _ name; do
        if [ ! -f "$1/$name" ]; then
            echo "$name is missing"
            return 1
        fi
        found=$(sum_of "$1/$name")
        if [ "$found" != "$sum" ]; then
            echo "sha256 of $name is $found, expected $sum"
            return 1
        fi
    done <<FILES
$files
FILES
}

how_to_use() {
    [ "$build" = cpu ] || echo "onnxruntime: to use it: export ORT_DYLIB_PATH=$target/libonnxruntime.so (see docs/providers.md)"
}

if complete "$target" >/dev/null; then
    echo "onnxruntime: $version is in place ($place)"
    how_to_use
    exit 0
fi

command -v python3 >/dev/null 2>&1 ||
    fail "python3 is missing; install python3 with pip, or set ORT_DYLIB_PATH to a libonnxruntime.so of version 1.22 or newer"

if python3 -m pip --version >/dev/null 2>&1; then
    pip="python3 -m pip"
elif command -v pip3 >/dev/null 2>&1; then
    pip=pip3
elif command -v pip >/dev/null 2>&1; then
    pip=pip
else
    fail "pip is missing; install it (python3-pip), or set ORT_DYLIB_PATH to a libonnxruntime.so of version 1.22 or newer"
fi

mkdir -p "$target"
work=$(mktemp -d "$target/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

echo "$package==$version --hash=sha256:$wheel_sha256" >"$work/requirements.txt"
echo "onnxruntime: downloading the wheel of $package $version for $platform"
$pip --disable-pip-version-check download --quiet --no-deps --only-binary=:all: --require-hashes \
    --implementation cp --python-version 3.12 --platform "$platform" \
    --dest "$work" --requirement "$work/requirements.txt" ||
    fail "the download failed (see above); with the library at hand, set ORT_DYLIB_PATH to it instead"

wheel=
for file in "$work"/*.whl; do
    [ -f "$file" ] && wheel=$file
done
[ -n "$wheel" ] || fail "pip left no wheel"
found=$(sum_of "$wheel")
[ "$found" = "$wheel_sha256" ] || fail "sha256 of the wheel is $found, expected $wheel_sha256"

mkdir "$work/files"
while read -r _ member name; do
    python3 - "$wheel" "onnxruntime/capi/$member" "$work/files/$name" <<'PYTHON'
import shutil
import sys
import zipfile

wheel, member, out = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, open(out, "wb") as sink:
    shutil.copyfileobj(source, sink)
PYTHON
done <<FILES
$files
FILES

wrong=$(complete "$work/files") || fail "$wrong"
mv -f "$work"/files/* "$target"
echo "onnxruntime: $version is ready ($place)"
how_to_use
