#!/bin/sh
# Installs what a bare Debian or Ubuntu lacks to build and test: a C compiler and linker (Rust, zstd),
# make, Python with pip and venv (fetches ONNX Runtime; tests install foreign software with it), and `ip` for tests on two hosts.
# Does nothing, and needs no rights, where all of it is there.
set -eu

missing=""
need() { # need PACKAGE COMMAND... : add PACKAGE unless COMMAND succeeds
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}

need build-essential cc --version
need make make --version
need python3 python3 --version
need python3-pip python3 -m pip --version
need python3-venv python3 -c 'import venv, ensurepip'
need iproute2 ip -Version

if ! command -v cargo >/dev/null 2>&1; then
    echo "cargo not found: install Rust 1.95 or newer with rustup, then run 'make setup' again" >&2
    exit 2
fi
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "missing:$missing (names of Debian packages). No apt-get here: install them with your package manager." >&2
    exit 2
fi
run=""
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "missing:$missing. As root: apt-get install$missing" >&2
        exit 2
    fi
    run=sudo
fi
echo "installing:$missing"
$run apt-get update -qq
# shellcheck disable=SC2086 # a list of package names
DEBIAN_FRONTEND=noninteractive $run apt-get install -y -qq --no-install-recommends $missing
