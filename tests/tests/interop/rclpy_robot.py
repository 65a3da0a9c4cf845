"""A robot made of rclpy nodes: a camera, a joint state broadcaster and a joint trajectory controller.

Usage: rclpy_robot.py WORLD SEED EPISODES

WORLD is the program world.rs, which has the arm and what the camera sees; everything in ROS is here. The controller
behaves as the documentation of ros2_control's joint_trajectory_controller says: a new trajectory replaces the one in
work; a stamp of zero means now; from the state in work it goes on to the first point that is not past; between points
it interpolates by time_from_start (cubic with velocities, else linear); after the last it holds that position. Commands
are velocities: feed-forward and a proportional part. Says one line of JSON: {"episodes": [{"solved", "steps"}], ...}.
Robots with other names and habits are in makers_robot.py.
"""

import array
import json
import subprocess
import sys

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Int64
from trajectory_msgs.msg import JointTrajectory

PIXELS = 64
GAIN_PER_S = 1.5
RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)


class World:
    """The arm and what the camera sees, in a process of its own."""

    def __init__(self, program: str):
        self._process = subprocess.Popen([program, "reach", str(PIXELS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        _, period, steps, *names = self._process.stdout.readline().split()
        self.period_s, self.steps, self.names = float(period), int(steps), [n.decode() for n in names]

    def _ask(self, request: str) -> None:
        self._process.stdin.write(request.encode() + b"\n")
        self._process.stdin.flush()

    def _state(self) -> None:
        _, solved, *numbers = self._process.stdout.readline().split()
        values = list(map(float, numbers))
        self.solved = solved == b"1"
        self.positions, self.velocities = values[: len(self.names)], values[len(self.names) :]

    def reset(self, seed: int) -> None:
        """A new start and goal."""
        self._ask(f"reset {seed}")
        self._state()

    def advance(self, seconds: float, velocities: list[float]) -> None:
        """Time passes; the joints have these set-points, rad/s."""
        self._ask(f"advance {seconds} " + " ".join(map(repr, velocities)))
        self._state()

    def render(self) -> bytes:
        """What the camera sees."""
        self._ask("render")
        return self._process.stdout.read(PIXELS * PIXELS * 3)


def seconds(stamp) -> float:
    """A time or duration of ROS."""
    return stamp.sec + 1e-9 * stamp.nanosec


class Camera(Node):
    """Images, by default at the control period; `encode` makes the bytes of their encoding from rgb8."""

    def __init__(self, world: World, topic="camera/image_raw", period_s=None, encoding="rgb8", encode=bytes):
        super().__init__("camera")
        self._world, self._encoding, self._encode = world, encoding, encode
        self._images = self.create_publisher(Image, topic, qos_profile_sensor_data)
        self.create_timer(period_s or world.period_s, self.show)

    def show(self) -> None:
        """One image, stamped before it is taken."""
        message = Image(height=PIXELS, width=PIXELS, encoding=self._encoding)
        message.header.stamp = self.get_clock().now().to_msg()
        message.header.frame_id = "camera"
        message.data = array.array("B", self._encode(self._world.render()))
        message.step = len(message.data) // PIXELS
        self._images.publish(message)


class JointStateBroadcaster(Node):
    """Joint states at 50 Hz, by default of all joints in their order."""

    def __init__(self, world: World, topic="joint_states", names=None, has_velocities=True):
        super().__init__(topic.replace("/", "_"))
        self._world, self._names, self._has_velocities = world, names or world.names, has_velocities
        self._places = [world.names.index(name) for name in self._names]
        self._states = self.create_publisher(JointState, topic, qos_profile_sensor_data)
        self.create_timer(0.02, self.say)

    def say(self) -> None:
        """Where the joints are."""
        message = JointState(name=self._names, position=[self._world.positions[place] for place in self._places])
        if self._has_velocities:
            message.velocity = [self._world.velocities[place] for place in self._places]
        message.header.stamp = self.get_clock().now().to_msg()
        self._states.publish(message)


class JointTrajectoryController(Node):
    """Follows trajectories at 100 Hz, of all joints or of those with these names."""

    def __init__(self, world: World, topic="joint_trajectory", names=None):
        super().__init__("joint_trajectory_controller")
        self._world, self._names = world, names or world.names
        self._places = [world.names.index(name) for name in self._names]
        self.accepted = self.refused = 0
        self.hold()
        self.create_subscription(JointTrajectory, topic, self.take, RELIABLE)
        self._last = self.now()
        self.create_timer(0.01, self.update)

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.get_clock().now().nanoseconds * 1e-9

    def hold(self) -> None:
        """Where the robot is now."""
        zeros = [0.0] * len(self._names)
        self._points = [(self.now(), [self._world.positions[place] for place in self._places], zeros)]

    def take(self, message: JointTrajectory) -> None:
        """A new trajectory replaces the one in work."""
        now = self.now()
        begin = seconds(message.header.stamp) or now
        times = [begin + seconds(p.time_from_start) for p in message.points]
        usable = (
            sorted(message.joint_names) == sorted(self._names)
            and times
            and all(a < b for a, b in zip(times, times[1:]))
            and times[-1] > now
            and not any(message.points[-1].velocities)
            and all(len(p.positions) == len(message.joint_names) for p in message.points)
            and all(len(p.velocities) in (0, len(message.joint_names)) for p in message.points)
        )
        if not usable:
            self.refused += 1
            self.get_logger().warning(f"refused: {message}")
            return
        self.accepted += 1
        order = [message.joint_names.index(name) for name in self._names]
        points = [
            (time, [p.positions[i] for i in order], [p.velocities[i] for i in order] if p.velocities else None)
            for time, p in zip(times, message.points)
        ]
        if times[0] > now:
            points.insert(0, (now, *self.desired(now)))
        self._points = points

    def desired(self, now: float) -> tuple[list[float], list[float]]:
        """Positions and velocities of the trajectory in work."""
        zeros = [0.0] * len(self._names)
        later = next((k for k, point in enumerate(self._points) if point[0] > now), None)
        if later is None:
            return self._points[-1][1], zeros
        if later == 0:
            return self._points[0][1], zeros
        (t0, p0, v0), (t1, p1, v1) = self._points[later - 1 : later + 1]
        span, s = t1 - t0, (now - t0) / (t1 - t0)
        if v0 is None or v1 is None:
            speeds = [(b - a) / span for a, b in zip(p0, p1)]
            return [a + s * (b - a) for a, b in zip(p0, p1)], speeds
        positions, velocities = [], []
        for a, b, m, n in zip(p0, p1, v0, v1):
            m, n = m * span, n * span
            c2, c3 = 3 * (b - a) - 2 * m - n, 2 * (a - b) + m + n
            positions.append(a + s * (m + s * (c2 + s * c3)))
            velocities.append((m + s * (2 * c2 + s * 3 * c3)) / span)
        return positions, velocities

    def update(self) -> None:
        """The arm moves on to now."""
        now = self.now()
        command = [0.0] * len(self._world.names)
        for place, p, v in zip(self._places, *self.desired(now)):
            command[place] = v + GAIN_PER_S * (p - self._world.positions[place])
        self._world.advance(min(max(now - self._last, 1e-4), 0.1), command)
        self._last = now


class Episodes(Node):
    """Begins episodes, marks them, and notes how they end."""

    def __init__(self, world: World, controller: JointTrajectoryController, seed: int, episodes: int):
        super().__init__("episodes")
        self._world, self._controller = world, controller
        self._seed, self._wanted = seed, episodes
        self._marks = self.create_publisher(Int64, "episode", RELIABLE)
        self._step = None
        self.results = []
        self.create_timer(world.period_s, self.step)

    def begin(self) -> None:
        """The next episode."""
        number = len(self.results)
        self._world.reset(self._seed + number)
        self._controller.hold()
        self._marks.publish(Int64(data=number))
        self._step, self._solved_at = 0, None

    def step(self) -> None:
        """A control period passed."""
        if self._step is None:
            if self._controller.accepted:
                self.begin()
            return
        self._step += 1
        if self._world.solved and self._solved_at is None:
            self._solved_at = self._step
        over = self._step >= self._world.steps or (self._solved_at and self._step >= self._solved_at + 5)
        if over:
            self.results.append({"solved": self._solved_at is not None, "steps": self._step})
            if len(self.results) >= self._wanted:
                raise ExternalShutdownException
            self.begin()


def spin(nodes):
    """Says that the robot is ready, and runs its nodes until it is ended."""
    executor = SingleThreadedExecutor()
    for node in nodes:
        executor.add_node(node)
    print("ready", flush=True)
    try:
        executor.spin()
    except ExternalShutdownException:
        pass


def main(program: str, seed: int, episodes: int) -> None:
    """Until all episodes are over."""
    world = World(program)
    world.reset(seed)
    rclpy.init()
    controller = JointTrajectoryController(world)
    judge = Episodes(world, controller, seed, episodes)
    spin([Camera(world), JointStateBroadcaster(world), controller, judge])
    trajectories = {"accepted": controller.accepted, "refused": controller.refused}
    print(json.dumps({"episodes": judge.results, "trajectories": trajectories}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
