"""A robot made of rclpy nodes: a camera, a joint state broadcaster and a joint trajectory controller.

Usage: rclpy_robot.py WORLD SEED EPISODES

WORLD is the program world.rs, which has the arm and what the camera sees; everything in ROS is here. The controller
behaves as the documentation of ros2_control's joint_trajectory_controller says: a new trajectory replaces the one in
work; a stamp of zero means now; from the state in work it goes on to the first point that is not past; between points
it interpolates by time_from_start (cubic with velocities); after the last it holds that position. Commands
are velocities: feed-forward and a proportional part. Says one line of JSON: {"episodes": [{"solved", "steps"}], ...}.
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
    """Images at the control period."""

    def __init__(self, world: World):
        super().__init__("camera")
        self._world = world
        self._images = self.create_publisher(Image, "camera/image_raw", qos_profile_sensor_data)
        self.create_timer(world.period_s, self.show)

    def show(self) -> None:
        """One image, stamped before it is taken."""
        message = Image(height=PIXELS, width=PIXELS, encoding="rgb8", step=3 * PIXELS)
        message.header.stamp = self.get_clock().now().to_msg()
        message.header.frame_id = "camera"
        message.data = array.array("B", self._world.render())
        self._images.publish(message)


class JointStateBroadcaster(Node):
    """Joint states at 50 Hz."""

    def __init__(self, world: World):
        super().__init__("joint_state_broadcaster")
        self._world = world
        self._states = self.create_publisher(JointState, "joint_states", qos_profile_sensor_data)
        self.create_timer(0.02, self.say)

    def say(self) -> None:
        """Where the joints are."""
        message = JointState(name=self._world.names, position=self._world.positions, velocity=self._world.velocities)
        message.header.stamp = self.get_clock().now().to_msg()
        self._states.publish(message)


class JointTrajectoryController(Node):
    """Follows trajectories at 100 Hz."""

    def __init__(self, world: World):
        super().__init__("joint_trajectory_controller")
        self._world = world
        self.accepted = self.refused = 0
        self.hold()
        self.create_subscription(JointTrajectory, "joint_trajectory", self.take, RELIABLE)
        self._last = self.now()
        self.create_timer(0.01, self.update)

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.get_clock().now().nanoseconds * 1e-9

    def hold(self) -> None:
        """Where the robot is now."""
        zeros = [0.0] * len(self._world.names)
        self._points = [(self.now(), list(self._world.positions), zeros)]

    def take(self, message: JointTrajectory) -> None:
        """A new trajectory replaces the one in work."""
        now = self.now()
        begin = seconds(message.header.stamp) or now
        times = [begin + seconds(p.time_from_start) for p in message.points]
        usable = (
            sorted(message.joint_names) == sorted(self._world.names)
            and times
            and all(a < b for a, b in zip(times, times[1:]))
            and times[-1] > now
            and not any(message.points[-1].velocities)
            and all(len(p.positions) == len(p.velocities) == len(message.joint_names) for p in message.points)
        )
        if not usable:
            self.refused += 1
            self.get_logger().warning(f"refused: {message}")
            return
        self.accepted += 1
        order = [message.joint_names.index(name) for name in self._world.names]
        points = [
            (time, [p.positions[i] for i in order], [p.velocities[i] for i in order])
            for time, p in zip(times, message.points)
        ]
        if times[0] > now:
            points.insert(0, (now, *self.desired(now)))
        self._points = points

    def desired(self, now: float) -> tuple[list[float], list[float]]:
        """Positions and velocities of the trajectory in work."""
        zeros = [0.0] * len(self._world.names)
        later = next((k for k, point in enumerate(self._points) if point[0] > now), None)
        if later is None:
            return self._points[-1][1], zeros
        if later == 0:
            return self._points[0][1], zeros
        (t0, p0, v0), (t1, p1, v1) = self._points[later - 1 : later + 1]
        span, s = t1 - t0, (now - t0) / (t1 - t0)
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
        positions, velocities = self.desired(now)
        command = [v + GAIN_PER_S * (p - x) for p, v, x in zip(positions, velocities, self._world.positions)]
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


def main(program: str, seed: int, episodes: int) -> None:
    """Until all episodes are over."""
    world = World(program)
    world.reset(seed)
    rclpy.init()
    controller = JointTrajectoryController(world)
    judge = Episodes(world, controller, seed, episodes)
    executor = SingleThreadedExecutor()
    for node in (Camera(world), JointStateBroadcaster(world), controller, judge):
        executor.add_node(node)
    print("ready", flush=True)
    try:
        executor.spin()
    except ExternalShutdownException:
        pass
    trajectories = {"accepted": controller.accepted, "refused": controller.refused}
    print(json.dumps({"episodes": judge.results, "trajectories": trajectories}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
