#!/bin/sh
# Prints the options that leave out those tests of `make test-interop` that this machine cannot run, and says on standard
# error which and why.
set -eu

leave_out() { # leave_out PATTERN WHY
    echo "make test-interop leaves out $1: $2" >&2
    printf '%s %s ' --skip "$1"
}

buffers=$(cat /proc/sys/net/core/rmem_max 2>/dev/null || echo 0)
[ "$buffers" -ge 4194304 ] ||
    leave_out given_a_receive_buffer "net.core.rmem_max is $buffers, raw images of 640x480 need 4194304 (sysctl -w)"

if ! unshare --net --map-root-user ip link set lo up >/dev/null 2>&1; then
    why="this machine does not allow network namespaces (unshare --net), or has no \`ip\`"
    leave_out two_hosts "$why"
    leave_out two_processes_need_no_multicast "$why"
    leave_out case_26_ "$why"
fi

command -v chromium >/dev/null 2>&1 ||
    leave_out the_page_of_a "there is no Chromium (apt-get install chromium)"

# Five to ten minutes each: docs/my-robot.md, followed for three robots.
leave_out is_driven_as_my_robot_md_says "it trains three models; run it by its name"
