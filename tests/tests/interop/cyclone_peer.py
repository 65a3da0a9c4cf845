"""A participant of CycloneDDS that sends or receives the messages of ROS 2; see peer.py."""

import os
import time
from dataclasses import dataclass, field

from cyclonedds.core import Policy, Qos
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import float64, int32, sequence, uint8, uint32
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

import peer


@dataclass
class Time(IdlStruct, typename="builtin_interfaces::msg::dds_::Time_"):
    sec: int32 = 0
    nanosec: uint32 = 0


@dataclass
class Duration(IdlStruct, typename="builtin_interfaces::msg::dds_::Duration_"):
    sec: int32 = 0
    nanosec: uint32 = 0


@dataclass
class Header(IdlStruct, typename="std_msgs::msg::dds_::Header_"):
    stamp: Time = field(default_factory=Time)
    frame_id: str = ""


@dataclass
class Image(IdlStruct, typename="sensor_msgs::msg::dds_::Image_"):
    header: Header = field(default_factory=Header)
    height: uint32 = 0
    width: uint32 = 0
    encoding: str = ""
    is_bigendian: uint8 = 0
    step: uint32 = 0
    data: sequence[uint8] = b""


@dataclass
class CompressedImage(IdlStruct, typename="sensor_msgs::msg::dds_::CompressedImage_"):
    header: Header = field(default_factory=Header)
    format: str = ""
    data: sequence[uint8] = b""


@dataclass
class JointState(IdlStruct, typename="sensor_msgs::msg::dds_::JointState_"):
    header: Header = field(default_factory=Header)
    name: sequence[str] = ()
    position: sequence[float64] = ()
    velocity: sequence[float64] = ()
    effort: sequence[float64] = ()


@dataclass
class Point(IdlStruct, typename="trajectory_msgs::msg::dds_::JointTrajectoryPoint_"):
    positions: sequence[float64] = ()
    velocities: sequence[float64] = ()
    accelerations: sequence[float64] = ()
    effort: sequence[float64] = ()
    time_from_start: Duration = field(default_factory=Duration)


@dataclass
class JointTrajectory(IdlStruct, typename="trajectory_msgs::msg::dds_::JointTrajectory_"):
    header: Header = field(default_factory=Header)
    joint_names: sequence[str] = ()
    points: sequence[Point] = ()


TYPES = {t.__name__: t for t in (Image, CompressedImage, JointState, JointTrajectory)}


def qos(kind: str, depth: int) -> Qos:
    """Commands are reliable, the rest is sensor data."""
    reliable = Policy.Reliability.Reliable(duration(seconds=1))
    reliability = reliable if kind == "JointTrajectory" else Policy.Reliability.BestEffort
    return Qos(reliability, Policy.Durability.Volatile, Policy.History.KeepLast(depth))


def topic(participant: DomainParticipant, stream: peer.Stream) -> Topic:
    """As ROS 2 names it on DDS."""
    return Topic(participant, "rt" + stream.topic, TYPES[stream.kind])


def listen(streams: list[peer.Stream], asked: peer.Asked) -> None:
    """Until SIGTERM."""
    heard = peer.Heard()
    participant = DomainParticipant(int(os.environ["ROS_DOMAIN_ID"]))
    readers = [(s, DataReader(participant, topic(participant, s), qos(s.kind, 100))) for s in streams]
    print("ready", flush=True)
    while not asked.to_stop:
        quiet = True
        for stream, reader in readers:
            for message in reader.take(N=20):
                if isinstance(message, TYPES[stream.kind]):
                    heard.add(stream.topic, stream.kind, message)
                    quiet = False
        if quiet:
            time.sleep(0.002)
    heard.say()


def speak(streams: list[peer.Stream], seconds: float, jpeg: bytes) -> None:
    """For so many seconds."""
    sent = peer.Heard()
    participant = DomainParticipant(int(os.environ["ROS_DOMAIN_ID"]))
    writers = {s.topic: DataWriter(participant, topic(participant, s), qos(s.kind, 10)) for s in streams}
    make = lambda what, data: data if what == "bytes" else Point()  # noqa: E731

    def publish(stream: peer.Stream, number: int) -> None:
        message = TYPES[stream.kind]()
        peer.fill(message, stream, number, jpeg, make)
        writers[stream.topic].write(message)
        sent.add(stream.topic, stream.kind, message)

    while not all(w.get_matched_subscriptions() for w in writers.values()):
        time.sleep(0.1)
    time.sleep(1.0)
    print("sending", flush=True)
    peer.talk(streams, seconds, publish)
    time.sleep(1.0)
    sent.say()


if __name__ == "__main__":
    peer.main(listen, speak)
