#!/bin/sh
# Installs latco under a prefix, in the layout in which ROS 2 finds packages: `ros2 run latco latco`, `ros2 launch latco
# latco.launch.py` work once PREFIX is in AMENT_PREFIX_PATH, and PREFIX/bin/latco without ROS.
#
#   install.sh PREFIX [LATCO [LIBONNXRUNTIME [LATCO_TRAIN]]]
#
# LATCO_TRAIN is the program latco-train; without it only what a robot needs is installed. DESTDIR is put before PREFIX when
# files are written, and not into them (packages).
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
prefix=${1:?usage: install.sh PREFIX [LATCO [LIBONNXRUNTIME [LATCO_TRAIN]]]}
binary=${2:-$root/target/release/latco}
library=${3:-$root/.cache/onnxruntime/cpu/libonnxruntime.so}
trainer=${4:-}

fail() {
    echo "install: $*" >&2
    exit 1
}
case $prefix in
/*) ;;
*) fail "PREFIX: expected an absolute path, found $prefix" ;;
esac
[ -x "$binary" ] || fail "$binary is not there; run 'cargo build --release -p latco-ros' first"
[ -r "$library" ] || fail "$library is not there; run 'make onnxruntime' first"
[ -z "$trainer" ] || [ -x "$trainer" ] || fail "$trainer is not there; run 'cargo build --release -p latco-trainer' first"

to=${DESTDIR:-}$prefix
share=$to/share/latco
install -d "$to/bin" "$to/lib/latco" "$share/launch" "$share/models" \
    "$to/share/ament_index/resource_index/packages" "$to/lib/systemd/system"
for program in "$binary" ${trainer:+"$trainer"}; do
    install -m 755 "$program" "$to/lib/latco/"
    ln -sf "../lib/latco/$(basename "$program")" "$to/bin/"
done
# Found beside the executable.
install -m 644 "$library" "$to/lib/latco/libonnxruntime.so"

install -m 644 "$root/ros/package.xml" "$share/package.xml"
install -m 644 "$root/ros/launch/latco.launch.py" "$share/launch/latco.launch.py"
# Found from any folder, as in the repository: `configs/reach.toml`, `models/bundles/reach`.
for folder in configs models/bundles; do
    rm -rf "${share:?}/$folder"
    cp -R "$root/$folder" "$share/$folder"
done
rm -rf "$share/configs/setup"
for config in "$share"/configs/*.toml; do
    # Whoever copies one has a bundle at a place that does not depend on the program.
    sed "s#^path = \"models/bundles/#path = \"$prefix/share/latco/models/bundles/#" "$config" >"$config.new"
    mv "$config.new" "$config"
done
sed "s#@PREFIX@#$prefix#g" "$root/ros/latco@.service" >"$to/lib/systemd/system/latco@.service"
: >"$to/share/ament_index/resource_index/packages/latco"
echo "installed in $to"
