"""Copies a bag with `rosbags` into every layout that it writes, and by hand into older ones of rosbag2.

Usage: write_bags.py BAG OUT [FOLDER_OF_ROSBAGS_0_9_11]

Prints one JSON object: {"name of a folder or file in OUT": "what it is"}.
"""

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

from rosbags.highlevel import AnyReader
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from ruamel.yaml import YAML

LATCHED = Qos(
    QosHistory.KEEP_LAST,
    5,
    QosReliability.RELIABLE,
    QosDurability.TRANSIENT_LOCAL,
    QosTime(2147483647, 4294967295),
    QosTime(2147483647, 4294967295),
    QosLiveliness.AUTOMATIC,
    QosTime(2147483647, 4294967295),
    False,
)

OLD = """
import json, sys
from rosbags.rosbag2 import Writer
topics, messages = json.load(open(sys.argv[1]))
with Writer(sys.argv[2]) as writer:
    new = {name: writer.add_connection(name, ty) for name, ty in topics}
    for name, time_ns, raw in messages:
        writer.write(new[name], time_ns, bytes.fromhex(raw))
"""


def copy(topics, messages, path, version, storage, mode, store):
    """Writes all messages with `rosbags`."""
    writer = Writer(path, version=version, storage_plugin=storage)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        new = {
            name: writer.add_connection(name, ty, typestore=store, offered_qos_profiles=[LATCHED])
            for name, ty in topics
        }
        for name, time_ns, raw in messages:
            writer.write(new[name], time_ns, raw)


def older(source: Path, target: Path, version: int) -> None:
    """The sqlite3 bag `source` in the layout that rosbag2 had with `version` of its metadata."""
    shutil.copytree(source, target)
    (old_file,) = target.glob("*.db3")
    file = target / f"{target.name}_0.db3"
    old_file.rename(file)
    database = sqlite3.connect(file)
    if version < 8:
        database.executescript("DROP TABLE message_definitions; DROP TABLE schema; DROP TABLE metadata;")
        database.execute("ALTER TABLE topics DROP COLUMN type_description_hash")
    if version < 4:
        database.execute("ALTER TABLE topics DROP COLUMN offered_qos_profiles")
    database.commit()
    database.execute("VACUUM")
    database.close()
    yaml = YAML(typ="safe")
    metadata = target / "metadata.yaml"
    document = yaml.load(metadata.read_text())
    info = document["rosbag2_bagfile_information"]
    info["version"] = version
    # Version 8 added the distribution, 7 the hashes, 6 custom data, 5 the list of files, 4 the quality of service.
    folder = f"{target.name}/" if version < 4 else ""
    info["relative_file_paths"] = [f"{folder}{file.name}"]
    for key, since in (("ros_distro", 8), ("custom_data", 6), ("files", 5)):
        if version < since:
            del info[key]
    for topic in info["topics_with_message_count"]:
        for key, since in (("type_description_hash", 7), ("offered_qos_profiles", 4)):
            if version < since:
                del topic["topic_metadata"][key]
    if "files" in info:
        info["files"][0]["path"] = file.name
    with metadata.open("w") as stream:
        yaml.dump(document, stream)


def main(bag: Path, out: Path, old: Path | None) -> None:
    """Writes all layouts."""
    store = get_typestore(Stores.ROS2_JAZZY)
    with AnyReader([bag], default_typestore=store) as reader:
        topics = [(connection.topic, connection.msgtype) for connection in reader.connections]
        messages = [(c.topic, time_ns, bytes(raw)) for c, time_ns, raw in reader.messages()]
    made = {}
    for version in (8, 9):
        for storage in (StoragePlugin.MCAP, StoragePlugin.SQLITE3):
            for mode in CompressionMode:
                inside = mode == CompressionMode.STORAGE
                if inside and storage == StoragePlugin.SQLITE3:
                    continue
                name = f"v{version}-{storage.name.lower()}-{mode.name.lower()}"
                copy(topics, messages, out / name, version, storage, mode, store)
                made[name] = f"rosbags, version {version}, {storage.name}, compression {mode.name}"
    for version in (3, 4, 5, 6, 7):
        older(out / "v8-sqlite3-none", out / f"old{version}", version)
        made[f"old{version}"] = f"layout of version {version}"
    if old is not None:
        data = out / "messages.json"
        data.write_text(json.dumps([topics, [(n, t, r.hex()) for n, t, r in messages]]))
        command = [sys.executable, "-c", OLD, data, out / "rosbags-0.9.11"]
        subprocess.run(command, check=True, env={"PYTHONPATH": str(old)})
        data.unlink()
        made["rosbags-0.9.11"] = "rosbags 0.9.11, version 5"
    print(json.dumps(made))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
