#!/bin/sh
# Installs simulators of others (tests/python/simulators.txt) into .cache/simulators-venv, and what draws their pictures without a
# screen or a GPU: Mesa's EGL. Does nothing where all of it is there.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
python=$(sh "$root/tests/python/environment.sh" "$root/.cache" simulators)

draws() { # a picture of 8x8 pixels; ends without tidying up, which some drivers cannot
    MUJOCO_GL=egl "$python" -c "import os, cv2, mujoco; mujoco.GLContext(8, 8).make_current(); os._exit(0)" >/dev/null 2>&1
}

packages="libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri libglib2.0-0"
if ! draws && command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" -eq 0 ]; then
    echo "installing $packages"
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of package names
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
fi
if ! draws; then
    echo "expected that MuJoCo draws by EGL, found that it does not; install (names of Debian packages) $packages" >&2
    exit 2
fi
echo "simulators: $python"
