"""A network cable between two interfaces of this namespace, that delays frames, loses some, and can be cut.

Usage: cable.py INTERFACE INTERFACE DELAY_MS SEED
Standard input: `loss PERCENT` (100 is a cut cable) and `end`. Says "ready", and at the end how many frames there were.

With kernels that have it, `tc netem` does the same; this works on every kernel with veth.
"""

import heapq
import json
import random
import select
import socket
import sys
import time

ALL_PROTOCOLS = socket.htons(3)
OUTGOING = 4


def opened(interface: str) -> socket.socket:
    """Whole frames of an interface."""
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, ALL_PROTOCOLS)
    end.bind((interface, 3))
    end.setblocking(False)
    return end


def main(interfaces: list[str], delay_s: float, seed: int) -> None:
    """Until told to end."""
    ends = [opened(interface) for interface in interfaces]
    chance, loss = random.Random(seed), 0.0
    waiting: list[tuple[float, int, int, bytes]] = []
    frames = lost = 0
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, to, frame = heapq.heappop(waiting)
            try:
                ends[to].send(frame)
            except OSError:
                lost += 1
        pause = max(0.0, waiting[0][0] - now) if waiting else 0.5
        ready, _, _ = select.select([*ends, sys.stdin], [], [], pause)
        if sys.stdin in ready:
            words = sys.stdin.readline().split()
            if not words or words[0] == "end":
                break
            loss = float(words[1]) / 100.0
        for index, end in enumerate(ends):
            if end not in ready:
                continue
            frame, address = end.recvfrom(65536)
            if address[2] == OUTGOING:
                continue
            frames += 1
            if chance.random() < loss:
                lost += 1
            else:
                heapq.heappush(waiting, (time.monotonic() + delay_s, frames, 1 - index, frame))
    print(json.dumps({"frames": frames, "lost": lost}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:3], float(sys.argv[3]) * 1e-3, int(sys.argv[4]))
