"""Tasks of the DeepMind Control Suite: `environment.id` is the domain and the task, as in `reacher-easy`. Actions are torques."""

import types

import numpy
from dm_control import suite


class Environment:
    """A task as an environment of Gymnasium. Its observation has the task's own and, under `joints`, the places of all joints."""

    def __init__(self, name, size, camera):
        domain, _, task = name.partition("-")
        if (domain, task) not in suite.ALL_TASKS:
            known = ", ".join("-".join(pair) for pair in suite.BENCHMARKING)
            raise ValueError(f"environment.id: expected DOMAIN-TASK of the suite, such as {known}; found {name}")
        self.suite = suite.load(domain, task)
        self.size, self.camera = size, camera
        # Where the bridge looks for MuJoCo's model.
        self.unwrapped, self.model = self, self.suite.physics.model.ptr
        spec = self.suite.action_spec()
        self.action_space = types.SimpleNamespace(low=spec.minimum, high=spec.maximum, dtype=spec.dtype)

    def told(self, step):
        return {**step.observation, "joints": self.suite.physics.data.qpos.copy()}

    def reset(self, seed):
        self.suite.task._random = numpy.random.RandomState(seed % 2**32)
        return self.told(self.suite.reset()), {}

    def step(self, action):
        step = self.suite.step(action)
        return self.told(step), step.reward, False, False, {"is_success": step.reward >= 0.5}

    def render(self):
        width, height = self.size
        return self.suite.physics.render(height, width, camera_id=self.camera)


class Adapter:
    def __init__(self, settings):
        self.settings = settings

    def make(self):
        return Environment(self.settings["id"], self.settings["picture"], self.settings["options"].get("camera", 0))

    def reset(self, env, seed):
        return env.reset(seed)
