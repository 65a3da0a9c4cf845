"""Digests of messages, the same as those of digest.rs: a hash over all fields in a plain order."""

import hashlib
import struct


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<I", len(data)) + data


def _texts(values) -> bytes:
    return struct.pack("<I", len(values)) + b"".join(map(_text, values))


def _floats(values) -> bytes:
    return struct.pack(f"<I{len(values)}d", len(values), *values)


def _bytes(values) -> bytes:
    data = bytes(values)
    return struct.pack("<I", len(data)) + data


def _header(header) -> bytes:
    return struct.pack("<iI", header.stamp.sec, header.stamp.nanosec) + _text(header.frame_id)


def _image(m) -> bytes:
    start = struct.pack("<II", m.height, m.width) + _text(m.encoding)
    return start + struct.pack("<BI", m.is_bigendian, m.step) + _bytes(m.data)


def _compressed(m) -> bytes:
    return _text(m.format) + _bytes(m.data)


def _joints(m) -> bytes:
    return _texts(m.name) + _floats(m.position) + _floats(m.velocity) + _floats(m.effort)


def _trajectory(m) -> bytes:
    parts = [_texts(m.joint_names), struct.pack("<I", len(m.points))]
    for p in m.points:
        parts += [_floats(p.positions), _floats(p.velocities), _floats(p.accelerations), _floats(p.effort)]
        parts.append(struct.pack("<iI", p.time_from_start.sec, p.time_from_start.nanosec))
    return b"".join(parts)


_FIELDS = {"Image": _image, "CompressedImage": _compressed, "JointState": _joints, "JointTrajectory": _trajectory}


def digest(message, kind: str) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of all fields of a message of type `kind`."""
    return hashlib.sha256(_header(message.header) + _FIELDS[kind](message)).hexdigest()[:16]


def stamp_ns(message) -> int:
    """The header's stamp."""
    return message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
