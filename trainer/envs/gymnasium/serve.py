"""Serves one environment to the Rust side of the bridge (trainer/envs/src/bridge), in lock-step.

Standard input and output carry frames: a length (u32, little-endian) and so many bytes, of which the first says what it is
about. Whatever the environment prints goes to standard error, so that it cannot come between. Requests, each answered by one
frame that begins with `=`, or with `N` (not installed), `W` (the settings are wrong) or `!` (failed) and a text:

    J  settings as JSON       -> nothing; the environment is made
    R  seed (i64)             -> state
    S  rows of joint actions  -> state; one step of the environment a row (f64, one value a joint)
    P                         -> picture, rgb8, [size, size, 3]
    E                         -> what the adapter's scripted policy would do, f64, one value a joint

A state: success, ended (a byte each), reward, positions of the joints, places where the expert takes them, places of objects
(f64 each).

An adapter is a Python file with a class `Adapter(settings)`; any of its methods may be left out. `make()` makes the environment
instead of gymnasium.make; `reset(env, seed)` begins an episode, `success(env, observation, info)` judges, `expert(env,
observation)` gives a whole action of the environment.
"""

import importlib
import importlib.util
import json
import math
import os
import re
import struct
import sys
import traceback


def frames():
    """The pipe, taken away from everything else in this process."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return requests, answers


class Wrong(Exception):
    """What is said of the settings or the environment without a trace."""


class Value:
    """A number in what the environment returns, such as `observation.achieved_goal[0]`."""

    def __init__(self, path):
        self.path = path
        self.keys = [int(index) if index else key for key, index in re.findall(r"(\w+)|\[(\d+)\]", path)]

    def of(self, said):
        found = said
        for key in self.keys:
            try:
                found = found[key]
            except (KeyError, IndexError, TypeError) as error:
                there = list(found) if hasattr(found, "keys") else getattr(found, "shape", type(found).__name__)
                raise Wrong(f"{self.path}: expected a number there, found no {key!r} in {there}") from error
        try:
            return float(found)
        except (TypeError, ValueError) as error:
            raise Wrong(f"{self.path}: expected a number there, found {found!r}") from error


class Served:
    def __init__(self, settings):
        self.settings = settings
        self.adapter = load(settings["adapter"])(settings) if settings["adapter"] else None
        self.env = self.own("make")() if self.own("make") else make(settings)
        model = getattr(getattr(self.env, "unwrapped", None), "model", None)
        quality = getattr(getattr(model, "vis", None), "quality", None)
        if quality is not None:
            # MuJoCo: none of these is seen in a small picture, and they cost most of the time to draw it.
            quality.shadowsize = quality.offsamples = 0
            model.mat_reflectance[:] = 0
        self.positions = [Value(path) for path in settings["positions"]]
        self.targets = [Value(path) for path in settings["targets"]]
        self.objects = [Value(path) for path in settings["objects"]]
        self.success = Value(settings["success"])
        self.reward = Value(settings["reward"])
        space = self.env.action_space
        self.low, self.high = [float(x) for x in space.low], [float(x) for x in space.high]
        for index, name in zip(settings["actions"], settings["joints"]):
            if index >= len(self.low):
                raise Wrong(
                    f"joint {name}: action: expected an index into the {len(self.low)} actions of the environment, found {index}"
                )
        for name, index, ends in zip(settings["joints"], settings["actions"], settings["ranges"]):
            if ends[0] < self.low[index] - 1e-6 or ends[1] > self.high[index] + 1e-6:
                raise Wrong(
                    f"joint {name}: expected limits within the environment's action {index}, which goes from {self.low[index]:g} "
                    f"to {self.high[index]:g}; found that they ask for {ends[0]:g} to {ends[1]:g}; check unit, max_velocity and "
                    "action_unit"
                )
        rest = settings["rest_action"] or [min(max(0.0, low), high) for low, high in zip(self.low, self.high)]
        if len(rest) != len(self.low):
            raise Wrong(f"rest_action: expected {len(self.low)} values, one an action, found {len(rest)}")
        self.rest = rest
        self.said = None
        self.ended = False

    def own(self, name):
        return getattr(self.adapter, name, None)

    def reset(self, seed):
        own = self.own("reset")
        observation, info = own(self.env, seed) if own else self.env.reset(seed=seed % 2**31)
        self.said = {"observation": observation, "info": info, "reward": 0.0}
        self.ended = False
        return self.state(at_start=True)

    def step(self, rows):
        for row in rows:
            if self.ended:
                break
            action = list(self.rest)
            for index, value in zip(self.settings["actions"], row):
                action[index] = min(max(value, self.low[index]), self.high[index])
            observation, reward, terminated, truncated, info = self.env.step(self.array(action))
            self.said = {"observation": observation, "info": info, "reward": reward}
            self.ended = bool(terminated or truncated)
            if not all(math.isfinite(value.of(self.said)) for value in [self.reward, *self.positions]):
                break  # The next step might hide it.
        return self.state(at_start=False)

    def array(self, action):
        dtype = getattr(self.env.action_space, "dtype", None)
        if dtype is None:
            return action
        import numpy

        return numpy.asarray(action, dtype)

    def state(self, at_start):
        said = self.said
        own = self.own("success")
        if own:
            success = bool(own(self.env, said["observation"], said["info"]))
        else:
            try:
                success = self.success.of(said) >= self.settings["success_at_least"]
            except Wrong:
                # Many environments judge steps alone.
                if not at_start:
                    raise
                success = False
        numbers = [0.0 if at_start else self.reward.of(said)]
        numbers += [value.of(said) for value in self.positions + self.targets + self.objects]
        return struct.pack(f"<BB{len(numbers)}d", success, self.ended, *numbers)

    def picture(self):
        picture = self.env.render()
        shape = getattr(picture, "shape", None)
        if shape is None or len(shape) != 3:
            raise Wrong(
                "expected render() to return a picture, [height, width, 3] bytes (render_mode rgb_array), found "
                f"{type(picture).__name__ if shape is None else list(shape)}"
            )
        size, (width, height) = self.settings["size"], self.settings["picture"]
        if list(shape) != [height, width, 3]:
            raise Wrong(
                f"expected a picture of {width}x{height} as camera.picture declares it, found {shape[1]}x{shape[0]} with "
                f"{shape[2]} channels; set camera.picture to what the environment draws"
            )
        return (picture if (width, height) == (size, size) else scaled(picture, size)).tobytes()

    def expert(self):
        action = self.own("expert")(self.env, self.said["observation"])
        return struct.pack(f"<{len(self.positions)}d", *(float(action[i]) for i in self.settings["actions"]))


def scaled(picture, size):
    """The square in the middle, each pixel the mean of the area that it covers."""
    import numpy

    side = min(picture.shape[:2])
    top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
    edges = numpy.linspace(0, side, size + 1)
    pixel = numpy.arange(side)
    covered = numpy.minimum(edges[1:, None], pixel + 1) - numpy.maximum(edges[:-1, None], pixel)
    weights = numpy.clip(covered, 0, None) * (size / side)
    square = picture[top : top + side, left : left + side].astype(float)
    return numpy.rint(numpy.einsum("ij,jkc,lk->ilc", weights, square, weights, optimize=True)).astype(numpy.uint8)


def make(settings):
    import gymnasium

    for module in settings["imports"]:
        importlib.import_module(module)
    return gymnasium.make(
        settings["id"], render_mode="rgb_array", max_episode_steps=-1, disable_env_checker=True, **settings["options"]
    )


def load(file):
    spec = importlib.util.spec_from_file_location("latco_adapter", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Adapter


def is_not_installed(error):
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"ModuleNotFoundError", "NameNotFound", "NamespaceNotFound", "VersionNotFound", "DependencyNotInstalled"})


def serve():
    # Files where the program was started are not meant by the modules that the environment imports.
    sys.path = [folder for folder in sys.path if folder]
    requests, answers = frames()
    served = None

    def answer(kind, body=b""):
        answers.write(struct.pack("<I", 1 + len(body)) + kind + body)
        answers.flush()

    while True:
        head = requests.read(4)
        if len(head) < 4:
            return  # The other side has ended.
        request = requests.read(struct.unpack("<I", head)[0])
        kind, body = request[:1], request[1:]
        try:
            if kind == b"J":
                served = Served(json.loads(body))
                answer(b"=")
            elif kind == b"R":
                answer(b"=", served.reset(*struct.unpack("<q", body)))
            elif kind == b"S":
                width = len(served.positions)
                values = struct.unpack(f"<{len(body) // 8}d", body)
                answer(b"=", served.step([values[i : i + width] for i in range(0, len(values), width)]))
            elif kind == b"P":
                answer(b"=", served.picture())
            elif kind == b"E":
                answer(b"=", served.expert())
        except Exception as error:  # It is told, whatever it is.
            if isinstance(error, Wrong):
                answer(b"W", str(error).encode())
                continue
            traceback.print_exc()
            answer(b"N" if is_not_installed(error) else b"!", f"{type(error).__name__}: {error}".encode())


if __name__ == "__main__":
    serve()
