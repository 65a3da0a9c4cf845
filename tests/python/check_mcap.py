"""Checks an MCAP file as `mcap doctor` does, which is not on PyPI: with the parser of the PyPI package `mcap`.

Usage: check_mcap.py FILE

Checked: magic, order of records, checksums of chunks, data section and summary, schemas and channels before their use and
the same in chunks and summary, times of chunks, every entry of the message indexes, every chunk and metadata index by
offset and length, statistics, summary offsets, profile and encodings of ROS 2. Exits with 1 and a list of what is wrong.
"""

import io
import struct
import sys
import zlib
from collections import Counter
from pathlib import Path

from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    Chunk,
    ChunkIndex,
    DataEnd,
    Footer,
    Header,
    Message,
    MessageIndex,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
    SummaryOffset,
)
from mcap.stream_reader import get_chunk_data_stream

MAGIC = b"\x89MCAP0\r\n"
KINDS = {
    Opcode.HEADER: Header,
    Opcode.FOOTER: Footer,
    Opcode.SCHEMA: Schema,
    Opcode.CHANNEL: Channel,
    Opcode.MESSAGE: Message,
    Opcode.CHUNK: Chunk,
    Opcode.MESSAGE_INDEX: MessageIndex,
    Opcode.CHUNK_INDEX: ChunkIndex,
    Opcode.METADATA: Metadata,
    Opcode.METADATA_INDEX: MetadataIndex,
    Opcode.STATISTICS: Statistics,
    Opcode.SUMMARY_OFFSET: SummaryOffset,
    Opcode.DATA_END: DataEnd,
}
problems: list[str] = []


def expect(condition: bool, what: str) -> None:
    """Notes what is wrong."""
    if not condition:
        problems.append(what)


def records(data: bytes, start: int, end: int):
    """`(offset, length, opcode, record)` of every record between two places."""
    offset = start
    while offset < end:
        opcode, size = struct.unpack_from("<BQ", data, offset)
        length = 9 + size
        if offset + length > end or opcode not in KINDS:
            problems.append(f"byte {offset}: no record")
            return
        body = ReadDataStream(io.BytesIO(data[offset + 9 : offset + length]))
        kind = KINDS[opcode]
        yield offset, length, opcode, read(kind, body, size)
        offset += length


def read(kind, body, size):
    """A record; some kinds ask for its size."""
    return kind.read(body, size) if kind is Message else kind.read(body)


class Contents:
    """Schemas, channels and counts seen so far."""

    def __init__(self) -> None:
        self.schemas: dict[int, Schema] = {}
        self.channels: dict[int, Channel] = {}
        self.counts: Counter[int] = Counter()
        self.times: list[int] = []

    def take(self, where: str, record) -> None:
        """Notes a schema, channel or message."""
        if isinstance(record, Schema):
            expect(record.id > 0, f"{where}: schema 0")
            expect(self.schemas.setdefault(record.id, record) == record, f"{where}: schema changed")
        elif isinstance(record, Channel):
            expect(record.schema_id in self.schemas, f"{where}: channel before its schema")
            expect(self.channels.setdefault(record.id, record) == record, f"{where}: channel changed")
        elif isinstance(record, Message):
            expect(record.channel_id in self.channels, f"{where}: message before its channel")
            self.counts[record.channel_id] += 1
            self.times.append(record.log_time)


def check_chunk(chunk: Chunk, where: str, contents: Contents) -> dict[int, list[tuple[int, int]]]:
    """Checks a chunk; gives the index that its messages should have."""
    stream, length = get_chunk_data_stream(chunk, validate_crc=True)
    expect(chunk.uncompressed_crc != 0, f"{where}: chunk without checksum")
    expect(length == chunk.uncompressed_size, f"{where}: uncompressed size {length}")
    data = stream.read(length)
    index: dict[int, list[tuple[int, int]]] = {}
    times = []
    for offset, _, _, record in records(data, 0, length):
        contents.take(where, record)
        if isinstance(record, Message):
            index.setdefault(record.channel_id, []).append((record.log_time, offset))
            times.append(record.log_time)
    expect(min(times, default=0) == chunk.message_start_time, f"{where}: first time of the chunk")
    expect(max(times, default=0) == chunk.message_end_time, f"{where}: last time of the chunk")
    return index


def main(path: Path) -> None:
    """Checks the file."""
    data = path.read_bytes()
    expect(data[:8] == MAGIC and data[-8:] == MAGIC, "magic")
    footer_at = len(data) - 8 - 29
    contents, summary = Contents(), Contents()
    chunks: dict[int, tuple[int, Chunk]] = {}
    indexes: dict[int, dict[int, int]] = {}
    index_ends: dict[int, int] = {}
    metadata: dict[int, tuple[int, str]] = {}
    expected_index: dict[int, list[tuple[int, int]]] = {}
    last_chunk = None
    data_end = None
    groups: dict[int, tuple[int, int]] = {}
    offsets: list[SummaryOffset] = []
    statistics: list[Statistics] = []
    for number, (offset, length, opcode, record) in enumerate(records(data, 8, len(data) - 8)):
        where = f"byte {offset}"
        if number == 0:
            expect(isinstance(record, Header), "first record is no header")
            expect(record.profile == "ros2", f"profile {record.profile}")
            continue
        if data_end is not None and not isinstance(record, (SummaryOffset, Footer)):
            start, total = groups.get(opcode, (offset, 0))
            expect(start + total == offset, f"{where}: summary records of a kind are apart")
            groups[opcode] = (start, total + length)
            summary.take(where, record)
        if isinstance(record, Chunk):
            expect(data_end is None, f"{where}: chunk in the summary")
            chunks[offset] = (length, record)
            expected_index = check_chunk(record, where, contents)
            last_chunk, indexes[offset], index_ends[offset] = offset, {}, offset + length
        elif isinstance(record, MessageIndex):
            expect(last_chunk is not None, f"{where}: message index without chunk")
            indexes[last_chunk][record.channel_id] = offset
            index_ends[last_chunk] = offset + length
            wanted = expected_index.get(record.channel_id, [])
            expect(sorted(record.records) == sorted(wanted), f"{where}: message index")
        elif isinstance(record, Metadata):
            metadata[offset] = (length, record.name)
        elif isinstance(record, DataEnd):
            data_end = offset
            expect(record.data_section_crc in (0, zlib.crc32(data[:offset])), f"{where}: checksum of the data")
            expect(record.data_section_crc != 0, "no checksum of the data")
        elif isinstance(record, ChunkIndex):
            at = record.chunk_start_offset
            size, chunk = chunks.pop(at, (0, None))
            expect(chunk is not None and size == record.chunk_length, f"{where}: chunk index")
            if chunk is not None:
                fields = ("compression", "message_start_time", "message_end_time", "uncompressed_size")
                for name in fields:
                    expect(getattr(record, name) == getattr(chunk, name), f"{where}: chunk index: {name}")
                expect(record.compressed_size == len(chunk.data), f"{where}: chunk index: compressed size")
                expect(record.message_index_offsets == indexes[at], f"{where}: offsets of message indexes")
                span = index_ends[at] - at - size
                expect(record.message_index_length == span, f"{where}: length of message indexes")
        elif isinstance(record, MetadataIndex):
            found = metadata.pop(record.offset, None)
            expect(found == (record.length, record.name), f"{where}: metadata index")
        elif isinstance(record, Statistics):
            statistics.append(record)
        elif isinstance(record, SummaryOffset):
            offsets.append(record)
        elif isinstance(record, Footer):
            expect(offset == footer_at, f"{where}: footer is not the last record")
            expect(data_end is not None and record.summary_start == data_end + 13, "start of the summary")
            expect(record.summary_crc != 0, "no checksum of the summary")
            crc = zlib.crc32(data[record.summary_start : footer_at + 9 + 16])
            expect(crc == record.summary_crc, "checksum of the summary")
            first = min((at for at, _, o, _ in records(data, record.summary_start, footer_at) if o == Opcode.SUMMARY_OFFSET), default=0)
            expect(first == record.summary_offset_start, "start of the summary offsets")
    expect(not chunks, f"chunks without index at {list(chunks)}")
    expect(not metadata, f"metadata without index at {list(metadata)}")
    expect(summary.schemas == contents.schemas, "schemas of the summary")
    expect(summary.channels == contents.channels, "channels of the summary")
    named = {o.group_opcode: (o.group_start, o.group_length) for o in offsets if o.group_length}
    expect(named == groups, f"summary offsets {named}, found {groups}")
    expect(len(statistics) == 1, "one record of statistics")
    for found in statistics:
        expect(found.message_count == sum(contents.counts.values()), "statistics: messages")
        counts = {channel: count for channel, count in found.channel_message_counts.items() if count}
        expect(counts == dict(contents.counts), "statistics: messages by channel")
        expect(found.schema_count == len(contents.schemas), "statistics: schemas")
        expect(found.channel_count == len(contents.channels), "statistics: channels")
        expect(found.chunk_count == len(indexes), "statistics: chunks")
        expect(found.message_start_time == min(contents.times, default=0), "statistics: first time")
        expect(found.message_end_time == max(contents.times, default=0), "statistics: last time")
    for channel in contents.channels.values():
        expect(channel.message_encoding == "cdr", f"{channel.topic}: encoding")
        expect("offered_qos_profiles" in channel.metadata, f"{channel.topic}: offered_qos_profiles")
        schema = contents.schemas[channel.schema_id]
        expect(schema.encoding == "ros2msg" or not schema.data, f"{channel.topic}: schema encoding")
    print(f"{sum(contents.counts.values())} messages, {len(indexes)} chunks")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except Exception as error:  # noqa: BLE001: whatever the parser says of the file
        problems.append(f"{type(error).__name__}: {error}")
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)
