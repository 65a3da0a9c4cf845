#!/usr/bin/env python3
"""Measures figures by the commands of this repository and writes docs/figures.md from their JSON output.

    figures.py             run the short commands, keep what they print in docs/figures/NAME.json, write the page
    figures.py NAME ...    run these; `--list` names them, `--all` runs even those that take hours
    figures.py --page      write the page from what is kept
    figures.py --print     run the short commands and print their JSON lines, keeping nothing

Programs are taken from the target folder; `make figures` builds them first. Run it on an idle machine, or times by `chrt -f 10`:
a record says how loaded the machine was, and whether it ran at real-time priority.
"""

import argparse
import collections
import datetime
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEPT = ROOT / "docs" / "figures"
# Fields that hold one entry an episode or a plan.
LONG = {"failed_seeds", "results", "library", "onnxruntime", "output_dir"}
# A machine counts as idle below this load average.
IDLE = 0.5


def solved(r):
    text = f"{r['success']:.2f} ({r['success_low']:.2f} to {r['success_high']:.2f}) of {r['episodes']} episodes"
    if "expert_success" in r:
        text += f", scripted expert {r['expert_success']:.2f}; at the last step {r['success_at_end']:.2f}"
    return text + f"; plan {r['plan_ms_p50']:.1f} ms (p99 {r['plan_ms_p99']:.1f})"


def loop(r):
    return f"{r['stamp_to_command_ms_p50']:.2f} ms (p99 {r['stamp_to_command_ms_p99']:.2f}), {r['lost']} of {r['frames']} lost"


def demo(r):
    return (f"{r['successes']} of {r['episodes']} solved; plan {r['plan_ms_p50']:.1f} ms (p99 {r['plan_ms_p99']:.1f}); "
            f"image stamp to command p99 {r['stamp_to_command_ms_p99']:.1f} ms; {r['deadline_misses']} deadlines missed")


def replay(r):
    return (f"{'all' if r['equal'] else 'NOT all'} decisions of {r['ticks']} ticks equal; "
            f"{r['realtime_factor']:.0f} times real time")


def tick(r):
    return (f"{r['tick_ms_p50']:.1f} ms (p99 {r['tick_ms_p99']:.1f}) of {r['budget_ms']:.0f}, {r['iterations_median']:.0f} "
            f"iterations, {r['allocations_per_tick']:.0f} allocations")


def soak(r):
    text = (f"{r['ticks']} ticks: {r['late']} late, {r['non_finite']} not finite, {r['allocations']} allocations, "
            f"memory {r['rss_growth_bytes'] / 1e6:+.1f} MB")
    if "command_jitter_ms_p999" in r:
        text += (f"; set-points at {r['command_rate_hz']:.0f} Hz: jitter p99.9 {r['command_jitter_ms_p999']:.2f} ms, "
                 f"at most {r['command_jitter_ms_max']:.2f}")
    return text


def faults(r):
    """A table: a row for each fault; velocity, acceleration and jerk as shares of their limits."""
    lines = [f"{r['outside_limits']} of {r['episodes']} episodes with a command outside the limits, {r['non_finite']} numbers not "
             f"finite; solved {r['success']:.2f} ({r['success_low']:.2f} to {r['success_high']:.2f}), without faults "
             f"{r['success_without']:.2f}\n",
             "| fault | how much | episodes | solved | without | velocity / limit | acceleration / limit | jerk / limit | stopped | "
             "rest after, s at most |", "|---" * 10 + "|"]
    for c in r["classes"]:
        much = ([f"{c['amount']:g}"] if c["amount"] else []) + ([f"p {c['probability']:g}"] if c["probability"] < 1 else []) \
            + ([f"{c['for_s']:g} s"] if "for_s" in c else [])
        rest = f"{c['rest_s_max']:.2f}" if "rest_s_max" in c else "moves on"
        lines.append(f"| `{c['fault']}` | {', '.join(much)} | {c['episodes']} | {c['success']:.2f} | {c['success_without']:.2f} | "
                     f"{c['max_velocity_share']:.2f} | {c['max_acceleration_share']:.2f} | {c['max_jerk_share']:.2f} | "
                     f"{c['stopped']} | {rest} |")
    return "\n".join(lines)


def kept_out(r):
    k = r["keep_out"]
    return (f"{r['success']:.3f} ({r['success_low']:.3f} to {r['success_high']:.3f}) of {k['episodes']} episodes solved, {k['touched_episodes']} "
            f"with a touch, {k['moving']} with a region that moves; plan {r['plan_ms_p50']:.1f} ms (p99 {r['plan_ms_p99']:.1f})")


def delay_plot(r):
    """An SVG: the largest share of each limit, and the share of solved episodes, over the planning delay."""
    classes, (left, top, width, height) = r["classes"], (50, 20, 420, 220)
    most = max(c["amount"] for c in classes)
    at = lambda c, value: f"{left + width * c['amount'] / most:.1f},{top + height * (1 - value / 1.2):.1f}"
    text = lambda x, y, words, more="": f'<text x="{x}" y="{y}" {more}>{words}</text>'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 290" font-family="sans-serif" font-size="12">',
             '<rect width="640" height="290" fill="white"/>']
    for value in (0, 0.2, 0.4, 0.6, 0.8, 1.0):
        y = top + height * (1 - value / 1.2)
        style = 'stroke="black" stroke-dasharray="4"' if value == 1.0 else 'stroke="#ddd"'
        parts += [f'<path d="M{left} {y:.1f}h{width}" {style}/>', text(left - 8, f"{y + 4:.1f}", f"{value:.1f}", 'text-anchor="end"')]
    parts += [text(left + width * c["amount"] / most, top + height + 18, f"{c['amount']:g}", 'text-anchor="middle"') for c in classes]
    parts.append(text(left + width / 2, top + height + 38, "time by which each plan is late, ms (the limits are the line at 1)", 'text-anchor="middle"'))
    for number, (key, name, colour) in enumerate((("max_velocity_share", "velocity / limit", "#999"), ("max_acceleration_share", "acceleration / limit", "#e69f00"),
                                                  ("max_jerk_share", "jerk / limit", "#d55e00"), ("success", "episodes solved", "#0072b2"))):
        points = " ".join(at(c, c[key]) for c in classes)
        parts += [f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>',
                  text(left + width + 10, top + 40 + 22 * number, name, f'fill="{colour}"')]
    return "\n".join([*parts, "</svg>"]) + "\n"


def time_plot(task, records):
    """An SVG: the share of solved episodes of each planner over the processor time of a plan, with 95 % intervals."""
    left, top, width, height = 50, 20, 420, 220
    times = sorted(records)
    at = lambda number, value: (left + width * number / (len(times) - 1), top + height * (1 - value))
    text = lambda x, y, words, more="": f'<text x="{x}" y="{y}" {more}>{words}</text>'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 290" font-family="sans-serif" font-size="12">',
             '<rect width="640" height="290" fill="white"/>']
    for value in (0, 0.25, 0.5, 0.75, 1):
        y = at(0, value)[1]
        parts += [f'<path d="M{left} {y:.1f}h{width}" stroke="#ddd"/>', text(left - 8, f"{y + 4:.1f}", f"{value:g}", 'text-anchor="end"')]
    parts += [text(f"{at(n, 0)[0]:.1f}", top + height + 18, f"{ms:g}", 'text-anchor="middle"') for n, ms in enumerate(times)]
    parts.append(text(left + width / 2, top + height + 38, f"{task}: processor time of a plan, ms (episodes solved, 95 % intervals)",
                      'text-anchor="middle"'))
    for number, (row, colour) in enumerate((("latco", "#d55e00"), ("sampling_only", "#0072b2"), ("cem", "#777"))):
        found = [next(c for c in records[ms]["cells"] if c["row"] == row) for ms in times]
        beside = 5 * (number - 1)
        for n, cell in enumerate(found):
            x, low = at(n, cell["success_low"])
            parts.append(f'<path d="M{x + beside:.1f} {low:.1f}V{at(n, cell["success_high"])[1]:.1f}" stroke="{colour}"/>')
        points = " ".join("{:.1f},{:.1f}".format(*at(n, cell["success"])) for n, cell in enumerate(found))
        parts += [f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>',
                  text(left + width + 10, top + 40 + 22 * number, row, f'fill="{colour}"')]
    return "\n".join([*parts, "</svg>"]) + "\n"


def solver(r):
    text = (f"{r['iteration_ms_median']:.2f} ms (p99 {r['iteration_ms_p99']:.2f}), {r['arithmetic_limit_ratio']:.1f} times the "
            f"arithmetic limit at {r['machine_gmac_per_s']:.0f} GMAC/s; {r['instructions']}")
    if "block_tridiagonal_ms_median" in r:
        text += f"; block-tridiagonal {r['block_tridiagonal_ms_median']:.0f} ms"
    return text + f"; arenas {r['arena_bytes'] / 1e6:.1f} MB"


def model(r):
    graphs = (f"`{name}` {max(runs, key=lambda run: run['batch'])['median_us']:.0f}" for name, runs in r["graphs"].items())
    return "µs at the largest batch: " + ", ".join(graphs)


def cells(r):
    """A table: a row for each planner or variant, a column for each task and setting, the best of a column bold."""
    columns = list(dict.fromkeys((c["task"], c["setting"]) for c in r["cells"]))
    rows = list(dict.fromkeys(c["row"] for c in r["cells"]))
    value = {(c["row"], c["task"], c["setting"]): c for c in r["cells"]}
    best = {column: max(c["success"] for key, c in value.items() if key[1:] == column) for column in columns}

    def show(row, column):
        cell = value.get((row, *column))
        if cell is None:
            return ""
        text = f"{cell['success']:.2f}"
        text = f"**{text}**" if cell["success"] == best[column] else text
        return text + (f" ({cell['success_low']:.2f} to {cell['success_high']:.2f})" if "success_low" in cell else "")

    lines = ["| | " + " | ".join(f"{task}, {setting}" for task, setting in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    return "\n".join(lines + [f"| `{row}` | " + " | ".join(show(row, column) for column in columns) + " |" for row in rows])


def frames(r):
    return f"{r['rendered_32']:.0f} a second at 32x32, {r['rendered_64']:.0f} at 64x64"


def lottery(r):
    """Which goal was chosen: Top pays 1, Bottom 20 or -40."""
    parts = []
    for cell in r["cells"]:
        paid = {float(value): times for value, times in cell["first_rewards"].items()}
        total, neither, top = sum(paid.values()), paid.get(0.0, 0), paid.get(1.0, 0)
        parts.append(f"`{cell['row']}` ({cell['setting']}) {top} / {total - top - neither} / {neither}")
    return "Top / Bottom / neither: " + ", ".join(parts)


def exploitation(r):
    """A table: what plans promise and get the longer they are optimised."""
    bundles = [b for b in r["bundles"] if b.get("exploitation")]
    lines = ["| bundle | " + " | ".join(f"{p['iterations']} iterations" for p in bundles[0]["exploitation"]) + " |",
             "|---" * (len(bundles[0]["exploitation"]) + 1) + "|"]
    show = lambda p: f"{p['predicted_return']:.1f} / {p['true_return']:.1f}, {p['kept']} of {p['promised']}"
    name = lambda b: f"[{b['name']}](figures/{b['name']}-exploitation.png)"
    return "\n".join(lines + [f"| {name(b)} | " + " | ".join(map(show, b["exploitation"])) + " |" for b in bundles])


def surprise(r):
    """A table: false stops, and the share of each fault that is caught, by calibrated thresholds and by a fixed one."""
    faults = list(r["rows"][0]["caught"])
    lines = ["| bundle | threshold | hours | false stops | " + " | ".join(f.replace("_", " ") for f in faults) + " |",
             "|---" * (len(faults) + 4) + "|"]
    return "\n".join(lines + [f"| {row['bundle']} | {row['threshold_kind']} | {row['hours']:.1f} | {row['false_stops']} | "
                              + " | ".join(f"{row['caught'][f]:.3f}" for f in faults) + " |" for row in r["rows"]])


REACH = "models/bundles/reach"
TIMED, TIMES_MS = ("push",), (2, 5, 10, 30, 60)
BUNDLES = " ".join(f"models/bundles/{task}" for task in ("key", "lottery", "push", "reach", "stick"))
SOAK = f"latco bench soak --bundle {REACH} --minutes 60 --rate-hz 125 --budget-ms 3"
JPEG = "--image-size 640x480 --image-transport compressed"
# Name: what, command, how to tell its result (nothing: a record made by hand, with its text in `told`), minutes on two idle cores.
GROUPS = {
    "How often tasks are solved": {
        f"eval-{task}": (f"{task.capitalize()}, in process", f"latco-train eval --bundle models/bundles/{task} --task {task} "
                         "--episodes 100 --json", solved, minutes)
        for task, minutes in (("reach", 1), ("push", 4), ("key", 6), ("stick", 4))
    } | {
        "table1": ("all planners at equal time", "latco-train experiment table1 --quick --episodes 100 --out target/figures/table1 --json",
                   cells, 75),
        "table3": ("LatCo without one of its parts", "latco-train experiment table3 --quick --out target/figures/table3 --json", cells, 5),
        "lottery": ("which goal of the Lottery each planner chooses", "latco-train experiment lottery --quick --out target/figures/lottery --json",
                    lottery, 10),
        "exploitation": ("what plans made from nothing promise / get, and how many of those that promise the reward get it",
                         f"latco-train gates --planner latco --plans 20 --bundle {BUNDLES} --out target/figures/gates --json",
                         exploitation, 10),
    },
    "How soon tasks are solved": {
        f"time-{task}-{ms}": (f"{task.capitalize()}, {ms} ms of processor time a plan", f"latco-train experiment candidates --tasks {task} --settings "
                              f"equal_time --rows latco,sampling_only,cem --equal-ms {ms} --episodes 30 --out target/figures/time-{task}-{ms} --json",
                              cells, 4)
        for task in TIMED for ms in TIMES_MS
    },
    "Simulators of others": {
        name: (f"MetaWorld's reach, {planner}, 40 ms a plan", "latco-train eval --bundle models/bundles/metaworld-reach "
               f"--task configs/robots/metaworld-reach.toml --config configs/metaworld-reach.toml --planner {planner} "
               f"--episodes {episodes} --json", solved, 3)
        for name, planner, episodes in (("eval-metaworld-reach", "latco", 100), ("metaworld-reach-sampling-only", "sampling_only", 50),
                                        ("metaworld-reach-shooting-gd", "shooting_gd", 50), ("metaworld-reach-cem", "cem", 50))
    },
    "On the robot": {
        "demo": ("Reach over DDS, two processes", "latco demo --out target/figures/demo --json", demo, 0.5),
        "replay": ("replay of that demo", "latco replay target/figures/demo/bag --json", replay, 0.1),
        "loop": ("image stamp to command without planning, 64x64 raw, PlaNet's sizes", "latco bench loop --json", loop, 0.7),
        "loop-jpeg": ("the same, 640x480 JPEG", f"latco bench loop {JPEG} --json", loop, 0.7),
        "tick-reach": ("a tick with cold caches, Reach", f"latco bench tick --bundle {REACH} --json", tick, 0.2),
        "tick": ("a tick with cold caches, PlaNet's sizes", "latco bench tick --json", tick, 0.3),
        "soak": ("a minute of ticks at 10 Hz", f"latco bench soak --bundle {REACH} --minutes 1 --json", soak, 1),
        "soak-hour": ("an hour of ticks at 10 Hz", f"latco bench soak --bundle {REACH} --minutes 60 --json", soak, 60),
    },
    "Surprise": {
        "surprise": (f"false stops in 8 hours of simulated driving by scripted policies, and the share of faults of the image that is "
                     "caught within 1 s ([what that is](surprise.md))", f"latco-train surprise --bundle {BUNDLES} --seed 500000 --json", surprise, 5),
    },
    "What plans keep away from": {
        f"keep-out-{task}{name}": (f"{task.capitalize()} with a disc in the way, of which the controller is {word}", f"latco-train eval --bundle "
                                   f"models/bundles/{task} --task {task} --config configs/{task}.toml --keep-out mixed{more} --episodes 500 --json",
                                   kept_out, minutes)
        for task, minutes in (("reach", 2), ("push", 10)) for name, word, more in (("", "told", ""), ("-untold", "not told", " --untold"))
    },
    "With faults": {
        "faults": ("Reach, a fault in each episode (`configs/faults/all.toml`, docs/faults.md)", "latco-train eval --bundle models/bundles/reach "
                   "--task reach --config configs/reach.toml --episodes 200 --inject configs/faults/all.toml --json", faults, 4),
        "planning-delay": ("Reach, plans that come late in each episode (`configs/faults/planning-delay.toml`)", "latco-train eval --bundle "
                           "models/bundles/reach --task reach --config configs/reach.toml --episodes 350 --inject "
                           "configs/faults/planning-delay.toml --json", faults, 5),
        "soak-busy": ("100,000 ticks at 125 Hz and real-time priority, beside four busy processes", f"{SOAK} --ticks 100000 --busy 4 --json", soak, 14),
        "soak-idle": ("20,000 without them", f"{SOAK} --ticks 20000 --json", soak, 3),
    },
    "The parts": {
        "solver": ("one LatCo iteration at PlaNet's sizes (230 states, 4 actions, H 30)", "latco bench solver --json", solver, 0.3),
        "solver-two-threads": ("the same, two threads", "latco bench solver --threads 2 --json", solver, 0.3),
        "solver-reach": ("the same at Reach's sizes", "latco bench solver --stoch 16 --deter 64 --hidden 96 --units 96 --action 3 "
                         "--horizon 20 --json", solver, 0.2),
        "model": ("the graphs of the Reach bundle", f"latco model bench {REACH} --json", model, 0.1),
        "frames": ("rendered pictures of the simulated robot", "cargo run --release --locked --quiet -p latco-envs "
                   "--example frames_per_second", frames, 0.2),
    },
    "Long trainings": {
        "online-reach": ("Reach from random motion, online", "latco-train online --task reach --config configs/train/online-reach.toml "
                         "--out runs/online --json", None, 120),
        "planet": ("the objective of PlaNet on 64x64 images", "latco-train fit --data runs/planet-data --config "
                   "configs/train/planet-cpu.toml --out runs/planet-cpu --json", None, 60),
    },
}
ALL = {name: figure for group in GROUPS.values() for name, figure in group.items()}
GATES = "gates"
GATES_COMMAND = f"latco-train gates --bundle {BUNDLES} --json"
# The five of the README: what, name of the record, how to tell it.
FIVE = [
    ("Reach solved, 95 % interval", "eval-reach", lambda r: f"{r['success']:.2f} ({r['success_low']:.2f} to {r['success_high']:.2f})"),
    ("time of a plan, p50 / p99", "demo", lambda r: f"{r['plan_ms_p50']:.1f} / {r['plan_ms_p99']:.1f} ms"),
    ("image stamp to command without planning, p99", "loop", lambda r: f"{r['stamp_to_command_ms_p99']:.2f} ms"),
    ("Rust allocations in a planner's tick", "tick-reach", lambda r: f"{r['allocations_per_tick']:.0f}"),
    ("decisions that a replay repeats bit for bit", "replay", lambda r: f"all of {r['ticks']}" if r["equal"] else "not all"),
]


def machine():
    """The processor, its cores, and how busy it is."""
    info = pathlib.Path("/proc/cpuinfo").read_text() if os.path.exists("/proc/cpuinfo") else ""
    field = lambda key: next((line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith(key)), "")
    flags = field("flags").split()
    simd = next((name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), os.uname().machine)
    load = os.getloadavg()[0]
    busy = "idle" if load < IDLE else f"busy: load {load:.1f}"
    busy += ", at real-time priority" if os.sched_getscheduler(0) == os.SCHED_FIFO else ""
    return f"{field('model name') or os.uname().machine}, {os.cpu_count()} cores, {simd}; {busy}"


def lean(value):
    """Without lists of single episodes, of which only the first rewards are counted, without nulls, paths from the root."""
    if isinstance(value, dict):
        short = {k: lean(v) for k, v in value.items()
                 if k not in LONG and v is not None and not (k == "episodes" and isinstance(v, list))}
        if isinstance(value.get("episodes"), list):
            short["first_rewards"] = collections.Counter(str(e["first_reward"]) for e in value["episodes"])
        return short
    if isinstance(value, str):
        return value.removeprefix(f"{ROOT}/")
    return [lean(v) for v in value] if isinstance(value, list) else value


def measure(name, command):
    """Runs one command; its last line of output is its result."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    (ROOT / "target" / "figures").mkdir(parents=True, exist_ok=True)
    words = shlex.split(command)
    if words[0] != "cargo":
        words[0] = str(target / "release" / words[0])
    library = ROOT / ".cache" / "onnxruntime" / "cpu" / "libonnxruntime.so"
    environment = {"ORT_DYLIB_PATH": str(library), **os.environ}
    record = {"name": name, "command": command, "date": datetime.date.today().isoformat(), "machine": machine()}
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    record["commit"] = commit.stdout.strip()
    print(f"{name}: {command}", file=sys.stderr)
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode != 0 or not done.stdout.strip():
        sys.exit(f"{name}: expected exit status 0 and a line of JSON, found status {done.returncode}; run it by hand: {command}")
    record["result"] = lean(json.loads(done.stdout.strip().splitlines()[-1]))
    for picture in (ROOT / "target/figures/gates").glob("*-exploitation.png") if name == "exploitation" else []:
        shutil.copy(picture, KEPT / picture.name)
    return record


def gates(record):
    """The table of the gates, failed ones bold."""
    bundles = record["result"]["bundles"]
    names = sorted({name for bundle in bundles for name in bundle["gates"]})
    lines = ["| gate | needed | " + " | ".join(b["name"] for b in bundles) + " |", "|---" * (len(bundles) + 2) + "|"]
    for name in names:
        row = [b["gates"].get(name) for b in bundles]
        needed = " or ".join(sorted({gate["needed"] for gate in row if gate}))
        show = lambda g: "not measured" if not g or g.get("value") is None else f"{g['value']:.3f}" if g["passed"] else f"**{g['value']:.3f}**"
        lines.append(f"| {name} | {needed} | " + " | ".join(map(show, row)) + " |")
    return "\n".join(lines)


def page(records):
    """docs/figures.md."""
    machines = sorted({record["machine"].split("; ")[0] for record in records.values()})

    def where(record):
        name, _, load = record["machine"].partition("; ")
        words = [record["date"], chr(ord("A") + machines.index(name)), record["commit"]] + ([load] if load != "idle" else [])
        return ", ".join(words)

    text = ["# Figures", "", "Written by `make figures` from the JSON that the commands print, which is kept in [figures/](figures). Run "
            "them on your own machine", "before relying on them. `make figures` repeats the short ones; `python3 tests/figures.py --list` "
            "names all.", ""]
    for group, figures in GROUPS.items():
        rows, tables = [], []
        for name, (what, command, tell, _) in figures.items():
            if name not in records:
                continue
            record = records[name]
            told = record["result"].get("told") or tell(record["result"])
            note = f" ({record['note']})" if "note" in record else ""
            if "\n" in told:
                tables += ["", f"**{what[0].upper()}{what[1:]}**{note}: `{record['command']}`; {where(record)}", "", told]
            else:
                rows.append(f"| {what} | {told}{note} | `{record['command']}` | {where(record)} |")
        if rows:
            rows = ["", "| what | figure | command | when, where, version, other load |", "|---|---|---|---|", *rows]
        if rows or tables:
            text += [f"## {group}", *rows, *tables, ""]
    if GATES in records:
        text += ["## Gates of the bundles", "", f"As they stand in the manifests; failed ones are bold "
                 f"([what they are](decisions/0005-gates-are-measured-on-the-bundle.md), [why they changed]"
                 f"(decisions/0011-calibration-had-measured-a-braking-robot.md)). `{records[GATES]['command'].removesuffix(' --json')}`", "",
                 gates(records[GATES]), ""]
    text += ["## Where", ""] + [f"- **{chr(ord('A') + i)}**: {name}" for i, name in enumerate(machines)]
    text += ["", "## Held by tests", "", "These are checked, not only measured; the tests print their figures with `-- --nocapture`.", "",
             "| what | test |", "|---|---|"]
    text += [f"| {what} | `cargo test --release {test}` |" for what, test in TESTS]
    return "\n".join(text) + "\n"


TESTS = [
    ("the block-tridiagonal solver against the authors' records", "-p latco-tests --test golden"),
    ("planning makes no Rust allocation after warm-up", "-p latco-tests --test allocation"),
    ("memory of a planner, by bundle", "-p latco-controller --test memory_budget"),
    ("every planner keeps budgets of 5, 20 and 50 ms", "-p latco-tests --test realtime -- --ignored budgets"),
    ("planners against the optimum of a linear-quadratic problem", "-p latco-controller --test linear_quadratic"),
    ("Jacobians and reward gradients of all bundles against finite differences", "-p latco-models --test gradients"),
    ("losses and gradients of both recipes against PyTorch", "-p latco-trainer --test pytorch"),
]


def readme(records):
    """The five figures between their markers."""
    path = ROOT / "README.md"
    text = path.read_text()
    begin, end = "<!-- figures: written by `make figures` -->\n", "<!-- end of figures -->"
    before, rest = text.split(begin)
    _, after = rest.split(end)
    rows = [f"| {what} | {tell(records[name]['result'])} |" for what, name, tell in FIVE if name in records]
    path.write_text(before + begin + "\n".join(["| what | figure |", "|---|---|", *rows]) + "\n" + end + after)


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    for flag, words in (("all", "run every command"), ("list", "list the commands"), ("page", "write the page only"), ("print", "keep nothing")):
        parser.add_argument(f"--{flag}", action="store_true", help=words)
    options = parser.parse_args()
    commands = {name: (command, minutes) for name, (_, command, tell, minutes) in ALL.items() if tell}
    commands[GATES] = (GATES_COMMAND, 0.1)
    if options.list:
        for name, (command, minutes) in commands.items():
            print(f"{name:20} {minutes:4g} min  {command}")
        return
    if unknown := set(options.names) - set(commands):
        sys.exit(f"expected names of --list, found {', '.join(sorted(unknown))}")
    names = options.names or [name for name, (_, minutes) in commands.items() if options.all or minutes <= 1]
    KEPT.mkdir(exist_ok=True)
    for name in [] if options.page else names:
        record = measure(name, commands[name][0])
        if options.print:
            print(json.dumps(record), flush=True)
        else:
            (KEPT / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    if not options.print:
        records = {path.stem: json.loads(path.read_text()) for path in sorted(KEPT.glob("*.json"))}
        (ROOT / "docs" / "figures.md").write_text(page(records))
        if "planning-delay" in records:
            (ROOT / "docs" / "planning-delay.svg").write_text(delay_plot(records["planning-delay"]["result"]))
        for task in TIMED:
            timed = {ms: records[name]["result"] for ms in TIMES_MS if (name := f"time-{task}-{ms}") in records}
            if len(timed) > 1:
                (ROOT / "docs" / f"planning-time-{task}.svg").write_text(time_plot(task, timed))
        readme(records)


if __name__ == "__main__":
    main()
