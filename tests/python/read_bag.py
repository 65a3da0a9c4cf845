"""Reads a bag with `rosbags` and compares it with what the test says it wrote.

Usage: read_bag.py BAG EXPECTED.json [COPY]

EXPECTED.json: {"topics": {name: {"type": ..., "count": ...}},
                "messages": [{"topic": ..., "time_ns": ..., "fields": {...}}]}
With COPY, the same messages are written into a new bag by `rosbags`.
Exits with 1 and a list of all differences.
"""

import json
import math
import sys
from pathlib import Path

import numpy
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

problems: list[str] = []


def same(found, expected, where: str) -> None:
    """Compares a message (or a part of one) with its fields as JSON."""
    if isinstance(expected, dict):
        # An empty message has one field on the wire that its definition does not name.
        names = [n for n in expected if n != "structure_needs_at_least_one_member"]
        for name in names:
            if not hasattr(found, name):
                problems.append(f"{where}: no field {name}")
            else:
                same(getattr(found, name), expected[name], f"{where}.{name}")
    elif isinstance(expected, list):
        values = found.tolist() if isinstance(found, numpy.ndarray) else list(found)
        if len(values) != len(expected):
            problems.append(f"{where}: expected {len(expected)} values, found {len(values)}")
        for index, (value, wanted) in enumerate(zip(values, expected)):
            same(value, wanted, f"{where}[{index}]")
    elif isinstance(expected, float):
        if not math.isclose(found, expected, rel_tol=0, abs_tol=0):
            problems.append(f"{where}: expected {expected!r}, found {found!r}")
    elif found != expected:
        problems.append(f"{where}: expected {expected!r}, found {found!r}")


def check_definitions(connections, store) -> None:
    """Definitions stored in the bag name the same fields as those of ROS 2 Jazzy."""
    for connection in connections:
        own = get_types_from_msg(connection.msgdef.data, connection.msgtype)
        for name, (constants, fields) in own.items():
            wanted_constants, wanted_fields = store.fielddefs[name]
            # rosbags gives empty messages their hidden field in its own store only.
            if fields and fields != wanted_fields:
                problems.append(f"{name}: fields {fields}, expected {wanted_fields}")
            if not set(constants) <= set(wanted_constants):
                problems.append(f"{name}: constants {constants}, expected {wanted_constants}")


def main(bag: Path, expected: dict, copy: Path | None) -> None:
    """Compares and copies."""
    store = get_typestore(Stores.ROS2_JAZZY)
    with AnyReader([bag], default_typestore=store) as reader:
        topics = {
            connection.topic: {"type": connection.msgtype, "count": connection.msgcount}
            for connection in reader.connections
        }
        if topics != expected["topics"]:
            problems.append(f"topics: expected {expected['topics']}, found {topics}")
        check_definitions(reader.connections, store)
        for connection in reader.connections:
            same(connection.digest, store.hash_rihs01(connection.msgtype), f"{connection.msgtype}: type hash")
        messages = list(reader.messages())
        images = sum(c.msgtype == "sensor_msgs/msg/Image" for c, _, _ in messages)
        if len(messages) != len(expected["messages"]):
            problems.append(f"expected {len(expected['messages'])} messages, found {len(messages)}")
        for number, ((connection, time_ns, raw), wanted) in enumerate(
            zip(messages, expected["messages"])
        ):
            where = f"message {number} on {wanted['topic']}"
            same(connection.topic, wanted["topic"], f"{where}: topic")
            same(time_ns, wanted["time_ns"], f"{where}: time")
            same(reader.deserialize(raw, connection.msgtype), wanted["fields"], where)
            again = bytes(store.serialize_cdr(store.deserialize_cdr(raw, connection.msgtype), connection.msgtype))
            if again != bytes(raw):
                problems.append(f"{where}: rosbags encodes it differently")
    if copy is not None:
        with Writer(copy, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            new = {
                name: writer.add_connection(name, topic["type"], typestore=store)
                for name, topic in topics.items()
            }
            for connection, time_ns, raw in messages:
                writer.write(new[connection.topic], time_ns, raw)
    print(f"{len(messages)} messages, {images} images, {len(topics)} topics")


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        json.loads(Path(sys.argv[2]).read_text()),
        Path(sys.argv[3]) if len(sys.argv) > 3 else None,
    )
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)
