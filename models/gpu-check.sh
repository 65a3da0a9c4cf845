#!/bin/sh
# Runs on a machine with an NVIDIA GPU what needs one, and writes what came of it as one JSON object:
#
#   sh models/gpu-check.sh [--out FILE] [--bundle DIR]      (gpu-check.json, models/bundles/reach)
#
# Golden vectors on CUDA and TensorRT, latencies for plans from 1, 8 and 64 starts on the CPU, CUDA and TensorRT, the
# start of a controller with TensorRT's engines to be built and with those that are kept, and a short training beside
# the CPU's if `latco-train` is built with the feature `wgpu` (docs/training.md). It takes at most 8 minutes. Exit status: 0 if every step
# succeeded, 1 if one did not or something is missing, which is told within 5 seconds.
#
# The programs are those in target/release (LATCO_PROGRAM and LATCO_TRAIN name others), the library is that of
# `make onnxruntime-gpu` (ORT_DYLIB_PATH names another). docs/providers.md says what has to be installed.
set -u

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
out=gpu-check.json
bundle=$root/models/bundles/reach
while [ $# -gt 0 ]; do
    case $1 in
    --out) out=${2:?--out: expected a file} && shift 2 ;;
    --bundle) bundle=${2:?--bundle: expected a folder} && shift 2 ;;
    *) echo "gpu-check: expected --out FILE or --bundle DIR, found $1" >&2 && exit 1 ;;
    esac
done
latco=${LATCO_PROGRAM:-$root/target/release/latco}
train=${LATCO_TRAIN:-$root/target/release/latco-train}
: "${ORT_DYLIB_PATH:=$root/.cache/onnxruntime/gpu/libonnxruntime.so}"
# TensorRT has no other switch against TF32, which has too few digits for the golden vectors.
: "${NVIDIA_TF32_OVERRIDE:=0}"
export ORT_DYLIB_PATH NVIDIA_TF32_OVERRIDE

missing=
need() {
    missing="$missing
  - $1"
}
gpu=$(timeout 3 nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null | head -n 1)
[ -n "$gpu" ] || need "an NVIDIA GPU and its driver: \`nvidia-smi\` shows none"
[ -x "$latco" ] || need "$latco: cargo build --release -p latco-ros"
[ -f "$ORT_DYLIB_PATH" ] || need "$ORT_DYLIB_PATH: make onnxruntime-gpu"
[ -f "$bundle/manifest.toml" ] || need "$bundle: expected the folder of a bundle"
if [ -n "$missing" ]; then
    echo "gpu-check: nothing was run, as this is missing (docs/providers.md):$missing" >&2
    exit 1
fi

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM
begin=$(date +%s)
end=$((begin + 470))
failures=0
steps=

text() { # standard input as a JSON string
    printf '"%s"' "$(sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' | tr '\n\t' '  ')"
}

# step NAME MOST_SECONDS PROGRAM ARGUMENT...: a JSON object for what PROGRAM prints as JSON
step() {
    name=$1 most=$2
    shift 2
    now=$(date +%s)
    left=$((end - now))
    [ "$left" -lt "$most" ] && most=$left
    status=124
    : >"$scratch/result" && : >"$scratch/log"
    if [ "$most" -gt 0 ]; then
        timeout "$most" "$@" >"$scratch/result" 2>"$scratch/log"
        status=$?
    fi
    seconds=$(($(date +%s) - now))
    if [ $status -eq 0 ]; then
        outcome="\"result\":$(grep . "$scratch/result" || echo null)"
    else
        failures=$((failures + 1))
        [ $status -eq 124 ] && echo "it had not ended after $most s" >>"$scratch/log"
        outcome="\"error\":$(tail -n 20 "$scratch/log" | text)"
    fi
    echo "gpu-check: $name: status $status, $seconds s" >&2
    steps="$steps${steps:+,}{\"name\":\"$name\",\"status\":$status,\"seconds\":$seconds,$outcome}"
}

check() { # PROVIDER SECONDS
    step "check on $1" "$2" "$latco" model check "$bundle" --provider "$1" --engine-cache "$scratch/engines" --json
}

bench() { # PROVIDER STARTS SECONDS
    step "$2 starts on $1" "$3" "$latco" model bench "$bundle" --provider "$1" --starts "$2" --engine-cache "$scratch/engines" --json
}

check cuda 60
for starts in 1 8 64; do
    bench cpu $starts 40
    bench cuda $starts 40
done

sed 's/^steps = .*/steps = 50/' "$root/configs/train/reach.toml" >"$scratch/train.toml"
if [ ! -x "$train" ]; then
    echo "gpu-check: no training was tried: expected $train, found none; cargo build --release -p latco-trainer --features wgpu" >&2
elif "$train" fit --data "$scratch" --config "$scratch/train.toml" --backend wgpu --out "$scratch/none" 2>&1 |
    grep -q "expected a program built with"; then
    echo "gpu-check: no training was tried: $train has no GPU; cargo build --release -p latco-trainer --features wgpu" >&2
else
    step "episodes to train on" 30 "$train" collect --task reach --policy mixed --episodes 40 --image-size 32 \
        --out "$scratch/data" --json
    for backend in cpu wgpu; do
        step "training on $backend" 60 "$train" fit --data "$scratch/data" --config "$scratch/train.toml" \
            --backend "$backend" --out "$scratch/run-$backend" --json
    done
fi

# Last, as TensorRT builds an engine for each graph and batch size: then all of them again, from its cache.
check tensorrt 120
check tensorrt 60
for starts in 1 8 64; do
    bench tensorrt $starts 90
    bench tensorrt $starts 60
done

cat >"$out" <<EOF
{"gpu":$(printf %s "$gpu" | text),"machine":$(uname -srm | text),"date":"$(date -u +%Y-%m-%dT%H:%M:%SZ)","bundle":$(printf %s "$bundle" | text),"library":$(printf %s "$ORT_DYLIB_PATH" | text),"seconds":$(($(date +%s) - begin)),"failures":$failures,"steps":[$steps]}
EOF
echo "gpu-check: $failures of the steps failed; $out says more" >&2
[ "$failures" -eq 0 ]
