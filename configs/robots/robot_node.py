"""The robot's side of LatCo over ROS 2, to be copied: docs/robot-side.md says what each part has to do.

    python configs/robots/robot_node.py --seed 0 --episodes 2      # in one terminal
    latco run --auto --config configs/reach.toml                   # in another

`Robot` stands for the machine, and is what you replace: three joints that go as fast as they are told, before a camera that draws
a bar for each. Needs rclpy. Says one line of JSON at its end.
"""

import argparse
import array
import json
import random
import time

import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64, Float64MultiArray, Int64

JOINTS = ["joint_1", "joint_2", "joint_3"]
PERIOD_S = 0.1  # between two images, as in training
STATES_PER_PERIOD = 5  # joint states at 50 Hz
EPISODE_PERIODS = 30
PAUSE_S = 0.2  # from the last image of an episode to the mark of the next
SETTLE_S = 0.1  # from the mark to the first image
COMMAND_TIMEOUT_S = 0.2  # a command that is older counts as zero
PIXELS = 32
LIMIT_RAD = 2.0
RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)


class Robot:
    """The machine: replace this."""

    def __init__(self):
        self.positions = [0.0] * len(JOINTS)
        self.velocities = [0.0] * len(JOINTS)
        self.goal = [0.0] * len(JOINTS)

    def reset(self, seed: int) -> None:
        """A start and a goal, the same for the same seed."""
        draw = random.Random(seed)
        self.positions = [draw.uniform(-1, 1) for _ in JOINTS]
        self.velocities = [0.0] * len(JOINTS)
        self.goal = [draw.uniform(-1, 1) for _ in JOINTS]

    def advance(self, velocities: list[float], seconds: float) -> None:
        """Moves for a while; `velocities` are set-points in rad/s."""
        before = list(self.positions)
        self.positions = [min(max(x + v * seconds, -LIMIT_RAD), LIMIT_RAD) for x, v in zip(before, velocities)]
        # What was measured, not what was asked for.
        self.velocities = [(x - old) / seconds for x, old in zip(self.positions, before)]

    def picture(self) -> bytes:
        """What the camera sees, rgb8, row by row."""
        rows = bytearray(3 * PIXELS * PIXELS)
        for joint, (x, goal) in enumerate(zip(self.positions, self.goal)):
            for value, channel in ((x, 0), (goal, 1)):
                column = int((value / LIMIT_RAD + 1) / 2 * (PIXELS - 1))
                for row in range(10 * joint + 1, 10 * joint + 10):
                    rows[3 * (row * PIXELS + column) + channel] = 255
        return bytes(rows)

    def reward(self) -> float:
        """What the present state is worth: 1 where the task is solved."""
        return float(all(abs(x - goal) < 0.2 for x, goal in zip(self.positions, self.goal)))


class RobotNode(Node):
    """Camera, joint states, rewards and episode marks out; commands in."""

    def __init__(self, robot: Robot):
        super().__init__("robot")
        self._robot = robot
        self._images = self.create_publisher(Image, "camera/image_raw", qos_profile_sensor_data)
        self._states = self.create_publisher(JointState, "joint_states", qos_profile_sensor_data)
        self._rewards = self.create_publisher(Float64, "reward", RELIABLE)
        self._marks = self.create_publisher(Int64, "episode", RELIABLE)
        self.create_subscription(Float64MultiArray, "commands", self._take, RELIABLE)
        self._command = ([0.0] * len(JOINTS), 0.0)
        self.commands = 0

    def _take(self, message: Float64MultiArray) -> None:
        if len(message.data) != len(JOINTS):
            self.get_logger().error(f"commands: expected {len(JOINTS)} velocities, found {len(message.data)}")
            return
        self._command = (list(message.data), time.monotonic())
        self.commands += 1

    def _wait(self, seconds: float) -> None:
        """Takes what comes meanwhile."""
        end = time.monotonic() + seconds
        while rclpy.ok() and (left := end - time.monotonic()) > 0:
            rclpy.spin_once(self, timeout_sec=left)

    def _show(self, with_reward: bool) -> None:
        """One image, stamped before it is taken, and the reward of what it shows."""
        image = Image(height=PIXELS, width=PIXELS, encoding="rgb8", step=3 * PIXELS)
        image.header.stamp = self.get_clock().now().to_msg()
        image.data = array.array("B", self._robot.picture())
        if with_reward:
            self._rewards.publish(Float64(data=self._robot.reward()))
        self._images.publish(image)

    def _say(self) -> None:
        """Where the joints are."""
        state = JointState(name=JOINTS, position=self._robot.positions, velocity=self._robot.velocities)
        state.header.stamp = self.get_clock().now().to_msg()
        self._states.publish(state)

    def _period(self) -> None:
        """One control period after its image."""
        seconds = PERIOD_S / STATES_PER_PERIOD
        for _ in range(STATES_PER_PERIOD):
            self._wait(seconds)
            command, when = self._command
            stale = time.monotonic() - when > COMMAND_TIMEOUT_S
            self._robot.advance([0.0] * len(JOINTS) if stale else command, seconds)
            self._say()

    def wait_for_command(self) -> None:
        """At rest, until there is a controller."""
        while rclpy.ok() and not self.commands:
            self._show(with_reward=False)
            self._say()
            self._wait(PERIOD_S)

    def episode(self, number: int, seed: int) -> bool:
        """One episode; tells whether it was solved."""
        self._wait(PAUSE_S)
        self._robot.reset(seed)
        self._marks.publish(Int64(data=number))
        self._wait(SETTLE_S)
        # What was sent until now was for the episode before.
        self._command = ([0.0] * len(JOINTS), 0.0)
        self._say()
        self._show(with_reward=True)
        solved = False
        for _ in range(EPISODE_PERIODS):
            self._period()
            self._show(with_reward=True)
            solved = solved or self._robot.reward() > 0
        return solved


def main() -> None:
    """Until all episodes are over."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--episodes", type=int, default=1)
    options = arguments.parse_args()
    rclpy.init()
    robot = Robot()
    robot.reset(options.seed)
    node = RobotNode(robot)
    node.wait_for_command()
    solved = [node.episode(number, options.seed + number) for number in range(options.episodes)]
    # The last messages are on their way.
    time.sleep(0.5)
    print(json.dumps({"episodes": len(solved), "solved": sum(solved), "commands": node.commands}), flush=True)


if __name__ == "__main__":
    main()
