#!/bin/sh
# Installs latco under a prefix, in the layout in which ROS 2 finds packages: `ros2 run latco latco`, `ros2 launch latco
# latco.launch.py` work once PREFIX is in AMENT_PREFIX_PATH, and PREFIX/bin/latco without ROS.
#
#   install.sh PREFIX [BINARY [LIBONNXRUNTIME]]
#
# DESTDIR is put before PREFIX when files are written, and not into them (packages).
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
prefix=${1:?usage: install.sh PREFIX [BINARY [LIBONNXRUNTIME]]}
binary=${2:-$root/target/release/latco}
library=${3:-$root/.cache/onnxruntime/cpu/libonnxruntime.so}

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

to=${DESTDIR:-}$prefix
share=$to/share/latco
install -d "$to/bin" "$to/lib/latco" "$share/launch" "$share/configs" "$share/models/bundles" \
    "$to/share/ament_index/resource_index/packages" "$to/lib/systemd/system"
install -m 755 "$binary" "$to/lib/latco/latco"
# Found beside the executable.
install -m 644 "$library" "$to/lib/latco/libonnxruntime.so"
ln -sf ../lib/latco/latco "$to/bin/latco"

install -m 644 "$root/ros/package.xml" "$share/package.xml"
install -m 644 "$root/ros/launch/latco.launch.py" "$share/launch/latco.launch.py"
for config in "$root"/configs/*.toml; do
    # Bundles are named from the working directory in the repository, and absolutely once installed.
    sed "s#^path = \"models/bundles/#path = \"$prefix/share/latco/models/bundles/#" "$config" \
        >"$share/configs/$(basename "$config")"
done
for bundle in "$root"/models/bundles/*/; do
    name=$(basename "$bundle")
    rm -rf "$share/models/bundles/$name"
    cp -R "$bundle" "$share/models/bundles/$name"
done
sed "s#@PREFIX@#$prefix#g" "$root/ros/latco@.service" >"$to/lib/systemd/system/latco@.service"
: >"$to/share/ament_index/resource_index/packages/latco"
echo "installed in $to"
