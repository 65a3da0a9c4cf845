#!/bin/sh
# Puts the ONNX Runtime C library into .cache/onnxruntime/cpu/libonnxruntime.so (`make onnxruntime`).
#
# The library comes out of the Python wheel of ONNX Runtime; only pip and python3 are needed to unpack it,
# nothing is installed. Wheel and library are checked against the sums below. Running it again is free.
set -eu

version=1.31.1
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
target=$root/.cache/onnxruntime/cpu
library=$target/libonnxruntime.so

fail() {
    echo "onnxruntime: $*" >&2
    exit 1
}

case "$(uname -s)-$(uname -m)" in
Linux-x86_64 | Linux-amd64)
    platform=manylinux_2_28_x86_64
    wheel_sha256=1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536
    library_sha256=fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3
    ;;
Linux-aarch64 | Linux-arm64)
    platform=manylinux_2_28_aarch64
    wheel_sha256=0b9a492176886992e0e875f06bc0367e333f5fff11711a2d642e18b02f3009cc
    library_sha256=8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467
    ;;
*)
    fail "no pinned library for $(uname -s) $(uname -m); set ORT_DYLIB_PATH to a libonnxruntime.so of version 1.22 or newer"
    ;;
esac

sum_of() {
    sha256sum "$1" | cut -d ' ' -f 1
}

if [ -f "$library" ] && [ "$(sum_of "$library")" = "$library_sha256" ]; then
    echo "onnxruntime: $version is in place (.cache/onnxruntime/cpu/libonnxruntime.so)"
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

echo "onnxruntime==$version --hash=sha256:$wheel_sha256" >"$work/requirements.txt"
echo "onnxruntime: downloading the wheel of version $version for $platform"
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

python3 - "$wheel" "onnxruntime/capi/libonnxruntime.so.$version" "$work/libonnxruntime.so" <<'PYTHON'
import shutil
import sys
import zipfile

wheel, member, out = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, open(out, "wb") as sink:
    shutil.copyfileobj(source, sink)
PYTHON

found=$(sum_of "$work/libonnxruntime.so")
[ "$found" = "$library_sha256" ] || fail "sha256 of libonnxruntime.so is $found, expected $library_sha256"
mv -f "$work/libonnxruntime.so" "$library"
echo "onnxruntime: $version is ready (.cache/onnxruntime/cpu/libonnxruntime.so)"
