"""A point on a plane, in plain Python: it goes where it is told and does nothing else, or one thing that no environment should."""

import os
import random
import sys
import time


class Space:
    low, high = [-1.0] * 3, [1.0] * 3


class Picture:
    """What the bridge needs of an array: shape and bytes."""

    def __init__(self, width, height, brightness):
        self.shape = (height, width, 3)
        self.bytes = bytes([brightness]) * (width * height * 3)

    def tobytes(self):
        return self.bytes


class Plane:
    action_space = Space()

    def __init__(self, settings):
        self.options = settings["options"]
        self.size = self.options.get("draws", settings["picture"])
        self.steps = 0

    def does(self, what):
        """Whether it is time for something bad, as often as the file of the option `once` does not exist yet."""
        if self.options.get("does") != what or self.steps != 5:
            return False
        once = self.options.get("once")
        if once and os.path.exists(once):
            return False
        if once:
            open(once, "w").close()
        return True

    def told(self):
        return {"place": list(self.place), "goal": list(self.goal)}

    def reset(self, seed):
        draw = random.Random(seed)
        self.place = [draw.uniform(-0.5, 0.5) for _ in range(2)]
        self.goal = [draw.uniform(-0.5, 0.5) for _ in range(2)]
        self.steps = 0
        return self.told(), {}

    def step(self, action):
        self.steps += 1
        if self.does("print"):
            print("a word on standard output " * 100)
            os.write(1, b"and one past Python\n")
        if self.does("die"):
            print("the motor is on fire", file=sys.stderr)
            os._exit(7)
        if self.does("hang"):
            time.sleep(3600)
        if self.does("raise"):
            raise RuntimeError("the joint is stuck")
        self.place = [x + 0.1 * a for x, a in zip(self.place, (action[0], action[2]))]
        distance = max(abs(x - g) for x, g in zip(self.place, self.goal))
        told = self.told()
        if self.does("nan"):  # and not in the second step of the same control period
            told["place"][1] = float("nan")
        return told, -distance, False, False, {"is_success": distance < 0.02}

    def render(self):
        return Picture(*self.size, brightness=min(255, max(0, int(128 + 100 * self.place[0]))))


class Adapter:
    def __init__(self, settings):
        self.settings = settings

    def make(self):
        return Plane(self.settings)

    def reset(self, env, seed):
        return env.reset(seed)
