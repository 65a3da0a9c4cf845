#!/bin/sh
# environment.sh FOLDER NAME...: makes FOLDER/NAME-venv, a virtual environment with the packages that NAME.txt beside this
# script pins, and prints its Python, for each NAME. What is there already is kept; a changed NAME.txt makes it anew.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=$1
shift

fail() {
    echo "$1" >&2
    exit 1
}

usable() { # usable PYTHON TEST: whether it makes virtual environments and the test of its version holds
    "$1" -c "import sys, venv, ensurepip; sys.exit(not ($2))" 2>/dev/null
}

base() { # base NAME: a Python that the packages exist for; installed where that needs nobody's word
    case $1 in
    ros-*) pythons="python3.11 python3" test="sys.version_info[:2] == (3, 11)" package=python3.11-venv ;;
    *) pythons="python3" test="True" package=python3-venv ;;
    esac
    for attempt in found installed; do
        for python in $pythons; do
            if usable "$python" "$test"; then
                echo "$python"
                return
            fi
        done
        [ $attempt = installed ] && break
        if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
            echo "installing $package with apt-get" >&2
            { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
                apt-get install -y -qq --no-install-recommends "$package"; } >&2 || true
        fi
    done
    fail "expected one of $pythons that can make virtual environments and for which $test, found none; install $package"
}

mkdir -p "$folder"
for name; do
    wanted=$here/$name.txt
    environment=$folder/$name-venv
    # One at a time makes it.
    exec 9>"$folder/$name.lock"
    flock 9
    if ! cmp -s "$wanted" "$environment/installed.txt"; then
        python=$(base "$name")
        "$python" -m venv --clear "$environment"
        "$environment/bin/python3" -m pip install --quiet --disable-pip-version-check --requirement "$wanted" >&2
        cp "$wanted" "$environment/installed.txt"
    fi
    exec 9>&-
    echo "$environment/bin/python3"
done
