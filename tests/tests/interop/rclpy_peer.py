"""A node of ROS 2 Jazzy that sends or receives; see peer.py."""

import time

import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage, Image, JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

import peer

TYPES = {t.__name__: t for t in (Image, CompressedImage, JointState, JointTrajectory)}


def qos(kind: str) -> QoSProfile:
    """Commands are reliable, the rest is sensor data."""
    if kind == "JointTrajectory":
        return QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
    return qos_profile_sensor_data if "Image" in kind else QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)


def node():
    """A node that leaves signals alone."""
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    return rclpy.create_node("peer")


def listen(streams: list[peer.Stream], asked: peer.Asked) -> None:
    """Until SIGTERM."""
    heard = peer.Heard()
    own = node()
    for stream in streams:
        take = lambda message, s=stream: heard.add(s.topic, s.kind, message)  # noqa: E731
        own.create_subscription(TYPES[stream.kind], stream.topic, take, qos(stream.kind))
    print("ready", flush=True)
    while not asked.to_stop:
        rclpy.spin_once(own, timeout_sec=0.1)
    heard.say()


def speak(streams: list[peer.Stream], seconds: float, jpeg: bytes) -> None:
    """For so many seconds."""
    sent = peer.Heard()
    own = node()
    publishers = {s.topic: own.create_publisher(TYPES[s.kind], s.topic, qos(s.kind)) for s in streams}
    make = lambda what, data: peer.byte_array(data) if what == "bytes" else JointTrajectoryPoint()  # noqa: E731

    def publish(stream: peer.Stream, number: int) -> None:
        message = TYPES[stream.kind]()
        peer.fill(message, stream, number, jpeg, make)
        publishers[stream.topic].publish(message)
        sent.add(stream.topic, stream.kind, message)

    while not all(p.get_subscription_count() for p in publishers.values()):
        rclpy.spin_once(own, timeout_sec=0.1)
    time.sleep(1.0)
    print("sending", flush=True)
    peer.talk(streams, seconds, publish)
    time.sleep(1.0)
    sent.say()


if __name__ == "__main__":
    peer.main(listen, speak)
