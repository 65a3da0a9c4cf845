"""Times training steps of the trainer beside the same steps in PyTorch; prints a Markdown table.

    cargo build --release -p latco-trainer --example train_step
    pip install -r trainer/tests/pytorch/requirements.txt
    python trainer/tests/pytorch/step_time.py configs/train/push.toml configs/train/planet.toml:8x20

A step draws a batch and takes its losses, their gradients, the limit of their norm and Adam's
update, in f32 on the CPU. PyTorch runs eagerly, without compilation. After `:` batch and sequence,
if not the configuration's. Each pair runs in turns, one process waits while the other works, so that
both meet the same machine; the order changes from block to block. Where other programs run, the
least time and the CPU time of a step say more than the median.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import torch

import gradients
import world

ROOT = Path(__file__).parents[3]
# As in the example train_step.rs.
JOINTS, ACTION, EPISODES = 6, 3, 20


class Frames:
    """Episodes of twice the length of a sequence, of random numbers."""

    def __init__(self, sizes, training):
        self.training, self.length = training, 2 * training["sequence"]
        count = EPISODES * self.length
        self.actions = torch.randn(count, ACTION)
        self.rewards = (torch.randn(count, 1) > 1).float()
        if sizes.code:
            self.embed = torch.randn(count, sizes.embed)
        else:
            images = 128 + 40 * torch.randn(count, 3, 64, 64)
            self.images = images.clamp(0, 255).byte()
        self.stoch = sizes.stoch

    def draw(self):
        """A batch in rows t * batch + b."""
        batch, sequence = self.training["batch"], self.training["sequence"]
        first = torch.randint(0, self.length - sequence + 1, (batch,))
        starts = torch.randint(0, EPISODES, (batch,)) * self.length + first
        rows = (starts + torch.arange(sequence)[:, None]).flatten()
        before = self.actions[rows - 1]
        before[:batch] = 0
        drawn = {
            "before": before,
            "after": self.actions[rows],
            "rewards": self.rewards[rows],
            "noise": torch.randn(len(rows), self.stoch),
        }
        overshooting = gradients.overshooting_rows(self.training)
        if overshooting:
            drawn["overshooting"] = torch.randn(overshooting, self.stoch)
        if hasattr(self, "embed"):
            return drawn | {"embed": self.embed[rows]}
        return drawn | {"images": self.images[rows].float() / 255 - 0.5}


def read(case):
    """Configuration file, its tables, and the arguments that change batch and sequence."""
    path, _, shape = case.partition(":")
    config = tomllib.loads((ROOT / path).read_text())
    if shape:
        batch, sequence = (int(x) for x in shape.split("x"))
        config["training"] |= {"batch": batch, "sequence": sequence}
    return path, config, shape.split("x") if shape else []


def peak_memory():
    """The largest resident set of this process so far, bytes."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def serve(case, threads):
    """Answers like train_step.rs: numbers of steps on stdin, a line of JSON for each."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    _, config, _ = read(case)
    training = config["training"]
    sizes = world.sizes_of(config, JOINTS, ACTION)
    frames = Frames(sizes, training)
    loss_of = world.two_stage_loss if sizes.code else world.planet_loss
    p = {name: torch.zeros(shape) for name, shape in world.shapes(sizes).items()}
    for name, value in p.items():
        if name.endswith(".kernel"):
            torch.nn.init.xavier_uniform_(value)
        value.requires_grad_()
    rate, epsilon = training["final_learning_rate"], training.get("epsilon", 1e-8)
    adam = torch.optim.Adam(p.values(), lr=rate, eps=epsilon)
    for line in sys.stdin:
        step_ms = []
        for _ in range(int(line)):
            since = time.perf_counter()
            loss, parts = loss_of(p, sizes, frames.draw(), training)
            values = [value.item() for value in parts.values()]
            adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(p.values(), training["clip"])
            adam.step()
            step_ms.append((time.perf_counter() - since) * 1e3)
            values.append(loss.item())
        answer = {"step_ms": step_ms, "loss": values[-1], "peak_memory_bytes": peak_memory()}
        print(json.dumps(answer), flush=True)


class Served:
    """A process that answers with the times of as many steps as it is asked for."""

    def __init__(self, command, threads):
        variables = ("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        environment = os.environ | {name: str(threads) for name in variables}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, env=environment
        )
        self.step_ms, self.cpu_ms, self.peak = [], [], 0

    def cpu_seconds(self):
        """User and system time so far, of all threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def run(self, steps, counts=True):
        """Seconds that the steps took."""
        before = self.cpu_seconds()
        print(steps, file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        if counts:
            self.step_ms += answer["step_ms"]
            self.cpu_ms.append((self.cpu_seconds() - before) * 1e3 / steps)
        self.peak = answer["peak_memory_bytes"]
        return sum(answer["step_ms"]) / 1e3

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def measure(case, threads, binary, seconds, blocks):
    path, config, shape = read(case)
    here = [sys.executable, __file__, "--serve", case, "--threads", str(threads)]
    pair = [Served([binary, path, *shape], threads), Served(here, threads)]
    for served in pair:
        served.run(2, counts=False)
    each = seconds / blocks / 2
    steps = [max(1, round(each / (served.run(3, counts=False) / 3))) for served in pair]
    order = list(zip(pair, steps))
    for _ in range(blocks):
        for served, count in order:
            served.run(count)
        order.reverse()
    for served in pair:
        served.close()
    ours, theirs = pair
    training = config["training"]
    figures = [
        [statistics.median(x.step_ms), min(x.step_ms), statistics.median(x.cpu_ms)] for x in pair
    ]
    row = [f"`{path}`, {training['batch']} x {training['sequence']}", threads]
    for mine, other in zip(*figures):
        row += [f"{mine:.0f} / {other:.0f}", f"{mine / other:.2f}"]
    row += [f"{ours.peak / 1e6:.0f} / {theirs.peak / 1e6:.0f}"]
    row += [f"{len(ours.step_ms)} / {len(theirs.step_ms)}"]
    print("| " + " | ".join(map(str, row)) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cases", nargs="*", metavar="CONFIG[:BATCHxSEQUENCE]")
    parser.add_argument("--binary", default="target/release/examples/train_step")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=60, help="of both, for each row")
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--serve", metavar="CASE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(options.serve, options.threads[0])
    columns = ["batch x sequence", "threads", "median, ms", "ratio", "least, ms", "ratio"]
    columns += ["CPU time, ms", "ratio", "peak memory, MB", "steps"]
    print(f"Ours / PyTorch {torch.__version__}, Python {sys.version.split()[0]}\n")
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for case in options.cases:
        for threads in options.threads:
            measure(case, threads, options.binary, options.seconds, options.blocks)


if __name__ == "__main__":
    main()
