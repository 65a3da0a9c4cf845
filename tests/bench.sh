#!/bin/sh
# The figures of the parts, one JSON object a line; build output goes to standard error. What each
# field means: `latco bench solver --help` and `latco bench tick --help`. Run it on an idle machine.
set -eu
cd "$(dirname "$0")/.."
run() { cargo run --release --locked --quiet "$@"; }
latco() { run -p latco-ros --bin latco -- "$@"; }

# One LatCo iteration: PlaNet's sizes, then the Reach bundle's.
latco bench solver --json
latco bench solver --stoch 16 --deter 64 --hidden 96 --units 96 --action 3 --horizon 20 --json
# Warm ticks of a controller, cold caches: PlaNet's sizes, then the Reach bundle.
latco bench tick --json
latco bench tick --bundle models/bundles/reach --json
# Image stamp to command through the node and DDS, without planning.
latco bench loop --json
latco bench loop --image-size 640x480 --image-transport compressed --json
# A minute of ticks at 10 Hz: late ones, allocations, jitter, memory.
latco bench soak --bundle models/bundles/reach --minutes 1 --json
# Each graph of the bundle on the CPU provider.
latco model bench models/bundles/reach --json
# Rendered frames per second of the simulated robot.
run -p latco-envs --example frames_per_second
