"""A robot as the drivers of three makers show theirs: names, order, topics, encodings and what is left out.

Usage: makers_robot.py WORLD MAKER

WORLD is the program world.rs; three joints of the robot are its planar arm, the others move and cannot be seen. The goal stays
where it is. Requests, one a line on standard input, are answered by one line each:

teach SECONDS   an operator moves the robot to the goal and elsewhere: `taught [[FROM, TO], ...]`, when it was solved (s since the epoch)
place K         the robot is put at the start K: `placed`
judge           `reached SECONDS`, once the tip has stayed at the goal for half a second
"""

import json
import queue
import random
import sys
import threading
from dataclasses import dataclass, field

import numpy
import rclpy
from builtin_interfaces.msg import Duration
from rclpy.node import Node
from rclpy_robot import RELIABLE, Camera, JointStateBroadcaster, JointTrajectoryController, World, spin
from std_msgs.msg import Bool, Float64, Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

SEED = 1_000_001
# Postures of the planar arm: with its tip at the goal of that seed, and starts.
GOAL = (-0.4, 0.8, 0.75)
STARTS = ((0.1, 0.3, 0.2), (-0.8, 1.2, 0.3), (0.0, 1.2, 1.2))
SPEEDS = (0.35, 0.45, 0.7)
LAG_S = 0.08
# Of servos whose velocities follow with that lag: they overshoot just not.
POSITION_GAIN_PER_S, VELOCITY_GAIN = 12.5, 1.0


def yuyv(rgb: bytes) -> bytes:
    """The picture of a USB camera: yuv422_yuy2, by BT.601."""
    r, g, b = numpy.moveaxis(numpy.frombuffer(rgb, numpy.uint8).reshape(-1, 2, 3).astype(float), 2, 0)
    y = 16 + 0.257 * r + 0.504 * g + 0.098 * b
    u = 128 + (-0.148 * r - 0.291 * g + 0.439 * b).mean(1)
    v = 128 + (0.439 * r - 0.368 * g - 0.071 * b).mean(1)
    return numpy.stack([y[:, 0], u, y[:, 1], v], 1).round().clip(0, 255).astype(numpy.uint8).tobytes()


@dataclass
class Maker:
    """What a driver shows of its robot."""

    joints: list[str]
    """In the order of the controller."""
    planar: list[str]
    """Those that are the planar arm."""
    rest: dict[str, float]
    """Positions other than 0 where the planar arm is straight, or around which a joint is held, rad."""
    states: list[tuple[str, list[str], bool]]
    """Topics of joint states, their names in the order of the message, and whether there are velocities."""
    image: str
    encoding: str = "rgb8"
    encode: object = bytes
    image_period_s: float = 1 / 30
    trajectories: str = ""
    """Topic of the trajectories that its controller takes."""
    positions: str = ""
    """Topic of the positions that its controller takes."""
    by_hand: bool = False
    """Whether it is taught by hand, without a command."""
    others: dict[str, float] = field(default_factory=dict)
    """Topics of numbers that nobody here needs."""


UR = [f"{joint}_joint" for joint in ("shoulder_pan", "shoulder_lift", "elbow", "wrist_1", "wrist_2", "wrist_3")]
FR3 = [f"fr3_joint{number}" for number in range(1, 8)]
FINGERS = ["fr3_finger_joint1", "fr3_finger_joint2"]
SO101 = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"]

MAKERS = {
    "ur": Maker(
        joints=UR,
        planar=UR[:3],
        rest={"shoulder_lift_joint": -1.57, "elbow_joint": 0.6, "wrist_1_joint": -1.57},
        states=[("joint_states", UR[1:] + UR[:1], True)],
        image="camera/color/image_raw",
        trajectories="scaled_joint_trajectory_controller/joint_trajectory",
        others={"speed_scaling_state_broadcaster/speed_scaling": 100.0},
    ),
    "franka": Maker(
        joints=FR3 + FINGERS,
        planar=[FR3[0], FR3[1], FR3[3]],
        rest={"fr3_joint2": -0.6, "fr3_joint4": -2.2, "fr3_joint6": 1.9, "fr3_joint7": 0.8},
        states=[("franka_gripper/joint_states", FINGERS, True), ("joint_states", FR3, True)],
        image="camera/color/image_raw",
        encoding="bgr8",
        encode=lambda rgb: numpy.frombuffer(rgb, numpy.uint8).reshape(-1, 3)[:, ::-1].tobytes(),
        trajectories="joint_trajectory_controller/joint_trajectory",
        by_hand=True,
    ),
    "so101": Maker(
        joints=SO101,
        planar=SO101[:3],
        rest={"shoulder_lift": -0.3, "gripper": 0.4},
        states=[("joint_states", SO101, False)],
        image="image_raw",
        encoding="yuv422_yuy2",
        encode=yuyv,
        positions="commands",
    ),
}


class Arm:
    """The planar arm, and joints that nobody sees."""

    def __init__(self, program: str, maker: Maker):
        self._world, self.names = World(program), maker.joints
        self.period_s = self._world.period_s
        self._planar = [self.names.index(name) for name in maker.planar]
        self.rest = [maker.rest.get(name, 0.0) for name in self.names]
        self.positions, self.velocities = list(self.rest), [0.0] * len(self.names)
        self._world.reset(SEED)
        self._look()

    def _look(self) -> None:
        self.solved = self._world.solved
        for place, x, v in zip(self._planar, self._world.positions, self._world.velocities):
            self.positions[place], self.velocities[place] = self.rest[place] + x, v

    def at(self, planar: tuple, others: list[float]) -> list[float]:
        """All positions for a posture of the planar arm."""
        positions = [rest + other for rest, other in zip(self.rest, others)]
        for place, x in zip(self._planar, planar):
            positions[place] = self.rest[place] + x
        return positions

    def advance(self, seconds: float, velocities: list[float]) -> None:
        """Time passes; the joints have these set-points, rad/s."""
        self._world.advance(seconds, [velocities[place] for place in self._planar])
        for place, wanted in enumerate(velocities):
            if place not in self._planar:
                self.velocities[place] += (wanted - self.velocities[place]) * min(seconds / LAG_S, 1.0)
                self.positions[place] += self.velocities[place] * seconds
        self._look()

    def render(self) -> bytes:
        """What the camera sees."""
        return self._world.render()


class PositionController(Node):
    """Servos that go to the positions that were sent last; they hold them when no more come."""

    def __init__(self, arm: Arm, topic: str):
        super().__init__("servos")
        self._arm, self._target = arm, list(arm.positions)
        self.create_subscription(Float64MultiArray, topic, self.take, RELIABLE)
        self.create_timer(0.01, self.update)
        self._last = self.now()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.get_clock().now().nanoseconds * 1e-9

    def take(self, message: Float64MultiArray) -> None:
        """Positions, one a joint."""
        self._target = list(message.data)

    def go(self, positions: list[float], _seconds: float) -> None:
        """As if these positions had been sent."""
        self._target = positions

    def update(self) -> None:
        """The arm moves on to now."""
        now = self.now()
        joints = zip(self._target, self._arm.positions, self._arm.velocities)
        command = [POSITION_GAIN_PER_S * (p - x) - VELOCITY_GAIN * v for p, x, v in joints]
        self._arm.advance(min(max(now - self._last, 1e-4), 0.1), command)
        self._last = now


class TrajectoryController(JointTrajectoryController):
    """The same that others drive, which can also be led by hand."""

    def go(self, positions: list[float], seconds: float) -> None:
        """As if led there by hand."""
        self.hold()
        self._points = [(*self._points[0][:2], None), (self.now() + seconds, positions[: len(self._names)], None)]


class Operator(Node):
    """Who teaches the robot, puts it somewhere, and looks whether it arrives."""

    def __init__(self, arm: Arm, maker: Maker, controller):
        super().__init__("operator")
        self._arm, self._maker, self._controller = arm, maker, controller
        self._draw, self._requests = random.Random(3), queue.Queue()
        self._steps, self._answer, self._times = iter(()), None, []
        self._until, self._since, self._way = 0.0, None, None
        self._success = self.create_publisher(Bool, "operator/success", RELIABLE)
        if maker.trajectories:
            self._trajectories = self.create_publisher(JointTrajectory, maker.trajectories, RELIABLE)
        else:
            self._positions = self.create_publisher(Float64MultiArray, maker.positions, RELIABLE)
        self._others = {self.create_publisher(Float64, topic, RELIABLE): x for topic, x in maker.others.items()}
        self.create_timer(0.02, self.tick)
        threading.Thread(target=lambda: [self._requests.put(line.split()) for line in sys.stdin], daemon=True).start()

    def speed(self, name: str) -> float:
        """Highest speed of a joint, rad/s."""
        return SPEEDS[self._maker.planar.index(name)] if name in self._maker.planar else 0.5

    def somewhere(self, near: float, far: float) -> list[float]:
        """Positions so far from the goal posture in each joint of the arm."""
        offset = [self._draw.choice((-1, 1)) * self._draw.uniform(near, far) for _ in GOAL]
        others = [self._draw.uniform(-0.3, 0.3) for _ in self._arm.names]
        return self._arm.at([x + o for x, o in zip(GOAL, offset)], others)

    def teaching(self, end: float):
        """Where to go next, and how long to stay there, in s: to the goal, beside it, and to the corners of where the robot may go."""
        while self._controller.now() < end:
            kind = self._draw.random()
            if kind < 0.35:
                yield self.somewhere(0.0, 0.04), self._draw.choice((0.0, 0.7, 1.5))
            elif kind < 0.55:
                yield self.somewhere(0.1, 0.35), self._draw.choice((0.0, 0.0, 0.7))
            else:
                yield self.somewhere(0.4, 1.0), self._draw.choice((0.0, 0.0, 0.4))

    def tick(self) -> None:
        """Goes on with what was asked for."""
        now, solved = self._controller.now(), self._arm.solved
        for publisher, value in self._others.items():
            publisher.publish(Float64(data=value))
        if solved != (self._since is not None):
            if self._since:
                self._times.append([self._since, now])
            self._since = now if solved else None
            self._success.publish(Bool(data=solved))
        if self._answer in (None, "reached") and not self._requests.empty():
            self.ask(now, *self._requests.get())
        if self._answer == "reached" and self._since and now - self._since >= 0.5:
            self.say(f"reached {now - self._asked:.2f}")
        if self._answer in (None, "reached"):
            return
        if self._way and self._maker.positions:
            begin, seconds, from_, to = self._way
            share = min((now - begin) / seconds, 1.0)
            self._positions.publish(Float64MultiArray(data=[a + share * (b - a) for a, b in zip(from_, to)]))
        if now >= self._until:
            step = next(self._steps, None)
            if step is None:
                times = self._times + ([[self._since, now]] if self._since else [])
                self.say(f"taught {json.dumps(times)}" if self._answer == "taught" else self._answer)
            else:
                self.move(now, *step)

    def say(self, answer: str) -> None:
        """Answers the request."""
        print(answer, flush=True)
        self._answer = self._way = None

    def ask(self, now: float, request: str, *values: str) -> None:
        """A request comes."""
        self._asked, self._until = now, 0.0
        self._answer = {"teach": "taught", "place": "placed", "judge": "reached"}[request]
        if request == "teach":
            self._times, self._since = [], None
            self._steps = self.teaching(now + float(values[0]))
        elif request == "place":
            start = self._arm.at(STARTS[int(values[0])], [0.0] * len(self._arm.names))
            ways = zip(self._arm.names, start, self._arm.positions)
            seconds = max(1.0, *(abs(to - x) / (0.85 * self.speed(name)) for name, to, x in ways))
            self._controller.go(start, seconds)
            self._steps, self._until = iter(()), now + seconds + 1.0

    def move(self, now: float, to: list[float], stay_s: float) -> None:
        """Goes to positions and stays there, told as this maker's robots are."""
        from_ = self._way[3] if self._way else list(self._arm.positions)
        ways = zip(self._arm.names, to, from_)
        seconds = max(0.1, *(abs(b - a) / (0.85 * self.speed(name)) for name, b, a in ways))
        self._way, self._until = (now, seconds, from_, to), now + seconds + stay_s
        if self._maker.by_hand:
            self._controller.go(to, seconds)
        elif self._maker.trajectories:
            message = JointTrajectory(joint_names=self._maker.joints)
            time = Duration(sec=int(seconds), nanosec=int(seconds % 1 * 1e9))
            message.points = [JointTrajectoryPoint(positions=to, time_from_start=time)]
            self._trajectories.publish(message)


def main(program: str, name: str) -> None:
    """Until standard input is closed, or it is killed."""
    maker = MAKERS[name]
    arm = Arm(program, maker)
    rclpy.init()
    if maker.trajectories:
        controller = TrajectoryController(arm, maker.trajectories, [n for n in maker.joints if n not in FINGERS])
    else:
        controller = PositionController(arm, maker.positions)
    nodes = [JointStateBroadcaster(arm, *states) for states in maker.states]
    nodes += [Camera(arm, maker.image, maker.image_period_s, maker.encoding, maker.encode)]
    spin([*nodes, controller, Operator(arm, maker, controller)])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
