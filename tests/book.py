#!/usr/bin/env python3
"""The book: its files, and its commands.

    book.py --stage        put the documents and what they link to into target/book/src, where mdBook reads them
    book.py                run the short commands of the documents, in the order of the book, in a scratch folder; keep when, how
                           long and with what result in docs/commands.json, and write docs/commands.md
    book.py --long [TEXT]  run the long ones, or those that contain TEXT
    book.py --long --short run them with few episodes and steps: whether they work, and not what comes of them
    book.py --by-hand TEXT run those of the others that contain TEXT, which must be in the reach of this machine
    book.py --page         write docs/commands.md from what is kept

--folder DIR keeps the scratch folder, so that what one run made is there for the next.

A block says after its fence what is done with it: `sh run`, a line after the other; `sh together`, all lines side by side with a
simulated robot, ended by Ctrl-C after ten seconds; `sh long`, by --long, or by figures.py, which keeps figures of some of them;
`sh by-hand`, what needs a robot, another machine, or changes this one. Programs are taken from the target folder.
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEPT, PAGE = ROOT / "docs" / "commands.json", ROOT / "docs" / "commands.md"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
ROBOT, CONTROLLER = "latco sim --task reach", "latco run --auto --config configs/reach.toml"
# What a robot and its owner have, and a scratch folder has not: made before the commands that need it.
# The settings that models/bundles/README.md tells of for the planner that collects.
FASTER = [(r"^budget_ms = .*\n", ""), (r"^(iterations_cold) = .*", r"\1 = 12"), (r"^(iterations_warm) = .*", r"\1 = 8")]
# What trainings are cut to by --short: most steps and episodes of a configuration, most episodes of a command.
SHORT_STEPS, SHORT_EPISODES = 20, 24
STAND_INS = {"ranges.toml": "[[range]]\nfrom_s = 1.0\nto_s = 2.0\n"}
BOOK = re.compile(r"\.(md|png|svg|toml|json|rs|py|sh|yaml|xml)$|^LICENSE-")


def tracked():
    """Names of the files that git tracks or would."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def stage():
    """The book's files, with the summary at their root."""
    to = ROOT / "target" / "book" / "src"
    shutil.rmtree(to, ignore_errors=True)
    for name in tracked():
        if BOOK.search(name) and not name.startswith(("ros/vendor/rustdds/", "tests/cases/", "tests/fuzz/")):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, to / name)
    summary = re.sub(r"\]\((?=.)", "](docs/", (to / "docs/SUMMARY.md").read_text()).replace("](docs/../", "](").replace("](docs/)", "]()")
    (to / "SUMMARY.md").write_text(summary)
    (to / "docs/SUMMARY.md").unlink()


def chapters():
    """The documents in the order of the book, then the others."""
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / "docs/SUMMARY.md").read_text())
    order = [os.path.normpath(f"docs/{link}") for link in links]
    rest = [name for name in tracked() if name.endswith(".md") and name not in order and not name.startswith("ros/vendor/")]
    return [name for name in order + rest if not name.startswith("docs/decisions/") and name not in ("CHANGELOG.md", "docs/SUMMARY.md", "docs/commands.md")]


def blocks():
    """Each block: its document, what is done with it, its commands."""
    for name in chapters():
        for info, text in re.findall(r"^ *```(sh [a-z-]+)\n(.*?)^ *```", (ROOT / name).read_text(), re.M | re.S):
            lines = [line.strip() for line in text.splitlines()]
            lines = [line.split(" #")[0].rstrip() for line in "\n".join(lines).replace("\\\n", " ").splitlines()]
            yield name, info.split()[1], [line for line in lines if line]


def start(command, folder, **more):
    """A command in its folder: what works on the code runs in the repository."""
    where = ROOT if command.startswith(("cargo ", "make ", "python3 ", "cd ")) else folder
    library = ROOT / ".cache/onnxruntime/cpu/libonnxruntime.so"
    environment = {**os.environ, "PATH": f"{TARGET / 'release'}:{os.environ['PATH']}", "ROS_DOMAIN_ID": "97", "ROS_LOCALHOST_ONLY": "1",
                   "STATE_DIRECTORY": str(folder / "state"), "ORT_DYLIB_PATH": os.environ.get("ORT_DYLIB_PATH", str(library))}
    # The shell is replaced by a program, so that a signal reaches it.
    command = command if "|" in command else f"exec {command}"
    return subprocess.Popen(["bash", "-c", command], cwd=where, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


def furnish(folder, short):
    """Fills a scratch folder with stand-ins and, for short runs, with bundles to replace and configurations that are cut down."""
    for name, text in STAND_INS.items():
        (folder / name).write_text(text)
    # Where `make simulators` put the robots that others made.
    if not (folder / ".cache").exists():
        (folder / ".cache").symlink_to(ROOT / ".cache")
    faster = (ROOT / "configs/push.toml").read_text()
    for setting, instead in FASTER:
        faster = re.sub(setting, instead, faster, flags=re.M)
    (folder / "faster.toml").write_text(faster)
    # A bundle of one's own.
    shutil.copytree(ROOT / "models/bundles/reach", folder / "runs/mine/bundle", dirs_exist_ok=True)
    # Bags in which nothing disturbed the robot: those that the document on training collects.
    if (folder / "runs/reach-data").is_dir():
        shutil.copytree(folder / "runs/reach-data", folder / "undisturbed-bags", dirs_exist_ok=True)
    if not short:
        return
    shutil.copytree(ROOT / "models/bundles", folder / "models/bundles", dirs_exist_ok=True)
    shutil.copytree(ROOT / "configs", folder / "configs", dirs_exist_ok=True)
    for file in (folder / "configs/train").glob("*.toml"):
        cut = lambda line: f"{line[1]} = {min(float(line[2]), SHORT_STEPS):g}"
        file.write_text(re.sub(r"^(steps|episodes|seed_episodes) = (\d+)", cut, file.read_text(), flags=re.M))


def shortened(command):
    """The command with few episodes."""
    command = re.sub(r"--episodes (\d+)", lambda n: f"--episodes {min(int(n[1]), SHORT_EPISODES)}", command)
    return command + " --episodes 1" if re.search(r" experiment .*--quick| goals ", command) and "--episodes" not in command else command


def finish(process, command, began):
    """Its end: what is kept of it."""
    said, _ = process.communicate(timeout=None)
    took = time.monotonic() - began
    print(f"{'ok ' if process.returncode == 0 else 'BAD'} {took:6.1f} s  {command}", file=sys.stderr)
    if process.returncode != 0:
        print(said[-3000:], file=sys.stderr)
    return {"date": datetime.date.today().isoformat(), "seconds": round(took, 1), "status": process.returncode}


def run(kind, commands, folder, short=False):
    """Runs a block: what is kept of each of its commands."""
    began = time.monotonic()
    for command in commands:
        # What an earlier block or run made of the same name is in the way of this one's.
        if out := re.search(r"--out ([\w-][\w/-]*)", command):
            shutil.rmtree(folder / out[1], ignore_errors=True)
    if kind != "together":
        done = {}
        for command in commands:
            began = time.monotonic()
            done[command] = finish(start(shortened(command) if short else command, folder), command, began) | ({"short": True} if short else {})
        return done
    has = lambda program: any(command.startswith(program) for command in commands)
    beside = [] if has("latco sim") else [ROBOT] if has("latco run") else [ROBOT, CONTROLLER]
    started = [(command, start(command, folder)) for command in beside + commands]
    time.sleep(10)
    for _, process in reversed(started):
        process.send_signal(signal.SIGINT)
    done = {command: finish(process, command, began) for command, process in reversed(started)}
    return {command: done[command] for command in commands}


def page(kept):
    """docs/commands.md."""
    figures = [json.loads(path.read_text()) for path in sorted((ROOT / "docs/figures").glob("*.json"))]
    # A figure is of the same command, whatever it prints.
    of = {figure["command"].removesuffix(" --json"): figure["date"] for figure in figures}
    everything = list(blocks())
    ran = sum(all(command in kept or command in of for command in commands) for _, _, commands in everything)
    minutes = sum(kept[command]["seconds"] for command in {c for _, _, commands in everything for c in commands} & set(kept)) / 60
    took = f"{minutes / 60:.1f} h" if minutes > 90 else f"{minutes:.0f} min"
    text = ["# Commands of this book", "", "Every block of commands in the documents, and when it was run last; written by `make book-commands`, which runs the short",
            "ones in a scratch folder. *together*: side by side with a simulated robot, ended after ten seconds. *long*: run by `python3",
            "tests/book.py --long TEXT`, or a [figure](figures.md); *cut short*: with few episodes and steps (`--long --short`). *by hand*: what needs",
            "a robot or another machine, or changes this one. A test checks that the list is whole, and that the programs take every line.", "",
            f"Of {len(everything)} blocks all commands of {ran} were run, in {took}."]
    last = None
    for name, kind, commands in blocks():
        if name != last:
            text += ["", f"## {name}", "", "| command | how | last run | took | status |", "|---" * 5 + "|"]
            last = name
        for command in commands:
            record = kept.get(command)
            cut = ", cut short" if record and record.get("short") else ""
            when = f"{record['date']}{cut} | {record['seconds']:.0f} s | {record['status']}" if record else f"{of[command]} | | [figure](figures.md)" if command in of else "not kept | | "
            words = "by hand" if kind == "by-hand" else kind
            shown = command.replace("|", "\\|")
            text.append(f"| `{shown}` | {words} | {when} |")
    PAGE.write_text("\n".join(text) + "\n")


def keep(kept):
    """Replaces docs/commands.json as a whole."""
    new = KEPT.with_suffix(".new")
    new.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    new.replace(KEPT)


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", action="store_true", help="put the book's files together")
    parser.add_argument("--page", action="store_true", help="write the page only")
    parser.add_argument("--long", metavar="TEXT", nargs="?", const="", help="run the long commands that contain TEXT")
    parser.add_argument("--by-hand", metavar="TEXT", help="run the commands that contain TEXT of those that are run by hand")
    parser.add_argument("--short", action="store_true", help="with few episodes and steps")
    parser.add_argument("--folder", metavar="DIR", help="the scratch folder, which is kept")
    options = parser.parse_args()
    if options.stage:
        stage()
        return
    read = lambda: json.loads(KEPT.read_text()) if KEPT.exists() else {}
    failed = []
    wanted = {"long": options.long, "by-hand": options.by_hand}
    wanted = {kind: text for kind, text in wanted.items() if text is not None} or {"run": "", "together": ""}
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(options.folder or scratch).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        furnish(folder, options.short)
        once = set()
        # The bundles first: other documents go on from their trainings.
        ordered = sorted(blocks(), key=lambda block: options.long is not None and block[0] != "models/bundles/README.md")
        for _, kind, commands in [] if options.page else ordered:
            commands = [c for c in commands if wanted.get(kind) is not None and wanted[kind] in c and (kind == "together" or c not in once)]
            once.update(commands)
            done = run(kind, commands, folder, options.short) if commands else {}
            failed += [command for command, record in done.items() if record["status"] != 0]
            # Another run may have kept something meanwhile.
            kept = read() | done
            keep(kept)
    listed = {command for _, _, commands in blocks() for command in commands}
    kept = {command: record for command, record in read().items() if command in listed}
    keep(kept)
    page(kept)
    if failed:
        sys.exit("expected exit status 0, found another of:\n" + "\n".join(failed))


if __name__ == "__main__":
    main()
