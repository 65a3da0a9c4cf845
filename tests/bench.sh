#!/bin/sh
# The figures of the parts, one JSON object a line; build output goes to standard error.
set -eu
cd "$(dirname "$0")/.."
run() { cargo run --release --locked --quiet "$@"; }

# One LatCo iteration: the Reach bundle's sizes, then PlaNet's (stoch deter hidden units actions horizon).
run -p latco-solver --example step_time -- 16 64 96 96 3 20
run -p latco-solver --example step_time -- 30 200 200 200 4 30
# Rendered frames per second of the simulated robot.
run -p latco-envs --example frames_per_second
# Each graph of the bundle on the CPU provider.
run -p latco-ros --bin latco -- model bench models/bundles/reach --json
