"""What the peers have in common: their arguments, the messages that they send, and what they say at the end.

Usage: X_peer.py listen TOPIC:TYPE...
       X_peer.py talk SECONDS JPEG TOPIC:TYPE@HZ[:SIZE]...

TYPE: Image, CompressedImage, JointState or JointTrajectory. SIZE: columns x rows of an Image.
listen: says "ready", and at SIGTERM one line of JSON, {topic: [[stamp in ns, digest], ...]}.
talk: waits for a subscription of every topic, sends, and says the same of what it sent.
"""

import array
import json
import math
import signal
import sys
import time
from dataclasses import dataclass

from digest import digest, stamp_ns

JOINTS = ["joint_1", "joint_2", "joint_3"]


class Heard:
    """Stamps and digests by topic."""

    def __init__(self):
        self.topics: dict[str, list] = {}

    def add(self, topic: str, kind: str, message) -> None:
        """Notes a message."""
        self.topics.setdefault(topic, []).append([stamp_ns(message), digest(message, kind)])

    def say(self) -> None:
        """One line of JSON."""
        print(json.dumps(self.topics), flush=True)


class Asked:
    """Whether SIGTERM came."""

    def __init__(self):
        self.to_stop = False
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, *_):
        self.to_stop = True


@dataclass
class Stream:
    """Messages of one topic."""

    topic: str
    kind: str
    hz: float = 0.0
    size: tuple[int, int] = (0, 0)


def streams(arguments: list[str]) -> list[Stream]:
    """The streams of the command line."""
    result = []
    for text in arguments:
        topic, rest = text.split(":", 1)
        kind, _, rate = rest.partition("@")
        hz, _, size = rate.partition(":")
        width, _, height = size.partition("x")
        result.append(Stream(topic, kind, float(hz or 0), (int(width or 0), int(height or 0))))
    return result


def fill(message, stream: Stream, number: int, jpeg: bytes, make) -> None:
    """Gives `message` the content number `number` of its stream; `make` makes the parts of a message by name."""
    now = time.time_ns()
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(now, 1_000_000_000)
    message.header.frame_id = f"{stream.topic} é"
    if stream.kind == "Image":
        width, height = stream.size
        message.width, message.height, message.step = width, height, 3 * width
        message.encoding = "rgb8"
        row = bytes((i * 7 + number * 29) % 256 for i in range(3 * width))
        message.data = make("bytes", row * height)
    elif stream.kind == "CompressedImage":
        message.format = "rgb8; jpeg compressed bgr8"
        message.data = make("bytes", jpeg + number.to_bytes(4, "little"))
    elif stream.kind == "JointState":
        message.name = list(JOINTS)
        message.position = [math.sin(0.01 * number + j) for j in range(3)]
        message.velocity = [math.cos(0.01 * number + j) for j in range(3)]
        message.effort = []
    else:
        message.joint_names = list(JOINTS)
        points = []
        for step in range(20):
            point = make("point", None)
            point.positions = [0.1 * j + 0.01 * step + 0.001 * number for j in range(3)]
            point.velocities = [0.0, 1e-300, -float(number)]
            point.accelerations = []
            point.effort = []
            point.time_from_start.sec = step // 10
            point.time_from_start.nanosec = step % 10 * 100_000_000
            points.append(point)
        message.points = points


def talk(all_streams: list[Stream], seconds: float, publish) -> None:
    """Calls `publish(stream, number)` for every message when it is due."""
    began = time.monotonic()
    dues = sorted(
        (number / stream.hz, index, number)
        for index, stream in enumerate(all_streams)
        for number in range(round(seconds * stream.hz))
    )
    for due, index, number in dues:
        time.sleep(max(0.0, began + due - time.monotonic()))
        publish(all_streams[index], number)


def byte_array(data: bytes) -> array.array:
    """What rclpy takes without looking at each byte."""
    return array.array("B", data)


def main(listen, speak) -> None:
    """Runs what the command line says."""
    if sys.argv[1] == "listen":
        listen(streams(sys.argv[2:]), Asked())
    else:
        with open(sys.argv[3], "rb") as file:
            jpeg = file.read()
        speak(streams(sys.argv[4:]), float(sys.argv[2]), jpeg)
