"""Push-T without the mark of the last action in its pictures, and a policy that pushes the T about at random, to collect data."""

import numpy

# The T in its own frame, in the environment's units: the bar is 120 wide, the foot ends 120 below its top.
BAR_HALF, LENGTH = 60, 120
# How far from the T a push begins, and the room that the pusher has.
RUN_UP, LOW, HIGH = 110, 25, 487


class Adapter:
    def __init__(self, settings):
        self.draw = numpy.random.default_rng(0)
        self.begin = self.end = None

    def reset(self, env, seed):
        self.draw = numpy.random.default_rng(seed)
        self.end = None
        return env.reset(seed=seed % 2**31)

    def success(self, env, observation, info):
        env.unwrapped._last_action = None
        return info["is_success"]

    def expert(self, env, observation):
        """The speed of the pusher on its way to where a push begins, and then straight on to where it ends."""
        pusher = numpy.array(env.unwrapped.agent.position)
        if self.end is None:
            block = env.unwrapped.block
            local = (self.draw.uniform(-BAR_HALF, BAR_HALF), self.draw.uniform(0, LENGTH))
            angle = self.draw.uniform(-numpy.pi, numpy.pi)
            ahead = numpy.array([numpy.cos(angle), numpy.sin(angle)])
            touched = numpy.array(block.local_to_world(local))
            self.begin = numpy.clip(touched - RUN_UP * ahead, LOW, HIGH)
            self.end = numpy.clip(touched + self.draw.uniform(0, RUN_UP) * ahead, LOW, HIGH)
            self.speed = self.draw.uniform(0.15, 0.5)
        place, speed = (self.end, self.speed) if self.begin is None else (self.begin, 0.5)
        way = (place - pusher) / 512
        far = numpy.linalg.norm(way)
        if far < 0.03:
            self.begin, self.end = (None, self.end) if self.begin is not None else (None, None)
        return way / max(far, 1e-9) * min(speed, far / 0.15)
