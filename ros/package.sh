#!/bin/sh
# Makes a Debian package of programs that are built: what install.sh puts under /usr, with what it depends on.
#
#   package.sh NAME OUT LATCO LIBONNXRUNTIME [LATCO_TRAIN]
#
# NAME is `latco`, the robot's program, or `latco-sim`, the program with simulated robots, and latco-train; either takes the
# place of the other. Needs dpkg-dev, which says by the programs' libraries what the package depends on, and python3. Beside the
# packages stand their bills of materials.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
usage='usage: package.sh NAME OUT LATCO LIBONNXRUNTIME [LATCO_TRAIN]'
name=${1:?$usage}
out=${2:?$usage}
binary=${3:?$usage}
library=${4:?$usage}
trainer=${5:-}
case $name in
latco) other=latco-sim what='planning from camera images: the controller of a robot' ;;
latco-sim) other=latco what='planning from camera images: controller, simulated robots, training' ;;
*)
    echo "package: NAME: expected latco or latco-sim, found $name" >&2
    exit 1
    ;;
esac
command -v dpkg-shlibdeps >/dev/null || {
    echo "package: dpkg-shlibdeps is missing: apt-get install dpkg-dev" >&2
    exit 1
}
# What a robot downloads and holds in memory; [profile.dist] in Cargo.toml says what keeps it small.
most=14000000
bytes=$(wc -c <"$binary")
if [ "$name" = latco ] && [ "$bytes" -gt "$most" ]; then
    echo "package: $binary: expected at most $most bytes, found $bytes; build it by \`make deb\`, and see [profile.dist] in Cargo.toml" >&2
    exit 1
fi
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
architecture=$(dpkg --print-architecture)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
DESTDIR=$tree sh "$root/ros/install.sh" /usr "$binary" "$library" "$trainer" >/dev/null
doc=$tree/usr/share/doc/$name
install -d "$doc" "$tree/DEBIAN" "$work/debian"
python3 "$root/ros/sbom.py" "$name" "$doc"
{
    echo "latco is licensed under either of Apache-2.0 and MIT, at your option. ONNX Runtime is licensed under MIT. licences.txt has"
    echo "the packages of crates.io that the programs are built from, with their licences; sbom.cdx.json has their sums."
    echo
    cat "$root/LICENSE-MIT"
    echo
    cat "$root/LICENSE-APACHE"
} >"$doc/copyright"

cd "$work"
# The tool wants a source package beside it.
printf 'Source: %s\nPackage: %s\nArchitecture: any\n' "$name" "$name" >debian/control
depends=$(dpkg-shlibdeps -O "$tree"/usr/lib/latco/* 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ] || {
    echo "package: dpkg-shlibdeps does not say what the programs depend on" >&2
    exit 1
}
cat >"$tree/DEBIAN/control" <<CONTROL
Package: $name
Version: $version
Architecture: $architecture
Maintainer: the latco authors <latco@localhost.invalid>
Installed-Size: $(du -sk "$tree/usr" | cut -f1)
Depends: $depends
Conflicts: $other
Replaces: $other
Section: science
Priority: optional
Description: $what
 A controller for robots that plan from camera images: loads a learned world model (ONNX), plans by latent collocation
 and publishes joint commands to ROS 2 over DDS. ONNX Runtime and trained bundles are included; no ROS package is needed.
CONTROL
mkdir -p "$out"
cp "$doc/sbom.cdx.json" "$out/${name}_${version}_$architecture.cdx.json"
dpkg-deb --root-owner-group -Zxz -z3 --build "$tree" "$out/${name}_${version}_$architecture.deb"
